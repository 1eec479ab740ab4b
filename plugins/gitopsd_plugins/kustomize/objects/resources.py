"""The ordered set of resources of a build: no two are the same object, lookups go by what they are or were."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gitopsd.plugin import Rejected
from gitopsd_plugins.kustomize.objects.identity import Id, text
from gitopsd_plugins.kustomize.objects.origins import ORIGIN
from gitopsd_plugins.kustomize.objects.resource import Resource
from gitopsd_plugins.kustomize.objects.typefacts import BUILT_IN, TypeFacts


class Resources:
    """`changed()` must be called after identities changed behind its back: the indexes are made again when needed.

    `types` says how its objects are merged.
    """

    def __init__(self, items: Iterable[Resource] = (), *, types: TypeFacts = BUILT_IN) -> None:
        self.types = types
        self.items: list[Resource] = []
        self._now: dict[Id, Resource] | None = {}
        self._known: dict[Id, list[Resource]] | None = None
        self.extend(items)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def changed(self) -> None:
        """Forget the indexes."""
        self._now = self._known = None

    def append(self, resource: Resource) -> None:
        """Add one. Raises `Rejected` when the object is there already, naming both files."""
        if self._now is None:
            self._now = {r.id: r for r in self.items}
        identity = resource.id
        if (there := self._now.get(identity)) is not None:
            raise Rejected(_twice(resource, there))
        self._now[identity] = resource
        self.items.append(resource)
        if self._known is not None:
            _note(self._known, resource)

    def extend(self, resources: Iterable[Resource]) -> None:
        """Add all, in order."""
        for resource in resources:
            self.append(resource)

    def keep(self, wanted: Callable[[Resource], bool]) -> None:
        """Drop every resource that is not wanted."""
        kept = [r for r in self.items if wanted(r)]
        if len(kept) < len(self.items):
            self.items = kept
            self.changed()

    def check_unique(self) -> None:
        """Raise `Rejected` when two have become the same object."""
        seen: dict[Id, Resource] = {}
        for resource in self.items:
            if (there := seen.setdefault(resource.id, resource)) is not resource:
                raise Rejected(_twice(resource, there))

    def known_as(self, identity: Id) -> list[Resource]:
        """Those that are, or once were, this object."""
        if self._known is None:
            self._known = {}
            for resource in self.items:
                _note(self._known, resource)
        return self._known.get(identity, [])

    def one_known_as(self, identity: Id) -> Resource:
        """The only one of them. Raises `Rejected` for none and for several."""
        found = self.known_as(identity)
        if len(found) != 1:
            many = "multiple" if found else "no"
            raise Rejected(f"{many} matches for Id {identity}; failed to find unique target for patch")
        return found[0]

    def absorb(self, resource: Resource) -> None:
        """Add a generated resource, or let it replace or be merged into the one that it names."""
        found = self.known_as(resource.id)
        if not found:
            if resource.behavior in {"merge", "replace"}:
                raise Rejected(f"id {resource.id} does not exist; cannot merge or replace")
            self.append(resource)
            return
        if len(found) > 1:
            raise Rejected(
                f"found multiple objects that could accept merge of {resource.id}: {', '.join(map(str, found))}"
            )
        if resource.behavior not in {"merge", "replace"}:
            raise Rejected(
                f"id {resource.id} exists; cannot use behavior {resource.behavior or 'create'!r}, it must be merge or replace"
            )
        _take_over(found[0], resource)
        self.changed()


def _note(known: dict[Id, list[Resource]], resource: Resource) -> None:
    for identity in {resource.id, *resource.previous}:
        known.setdefault(identity, []).append(resource)


def _take_over(old: Resource, new: Resource) -> None:
    """Give the old resource the new content, and both data where they are merged; it stays who it is."""
    name, namespace = old.name, old.namespace
    for field in ("labels", "annotations"):
        if merged := old.labels(field) | new.labels(field):
            new.metadata[field] = merged
    if new.behavior == "merge":
        if origin := old.labels("annotations").get(ORIGIN):
            new.metadata["annotations"][ORIGIN] = origin
        for field in ("data", "binaryData"):
            if joined := _texts(old.body.get(field)) | _texts(new.body.get(field)):
                new.body[field] = joined
    old.body, old.blanks, old.shared = new.body, new.blanks, new.shared
    old.name, old.namespace = name, namespace
    old.hashed = old.hashed and new.hashed


def _texts(value: Any) -> dict[str, str]:
    return {key: text(item) for key, item in value.items()} if isinstance(value, dict) else {}


def _twice(resource: Resource, there: Resource) -> str:
    where = " and ".join(sorted({f for f in (resource.file, there.file) if f}))
    return f"may not add resource with an already registered id: {resource.id}" + (f" ({where})" if where else "")

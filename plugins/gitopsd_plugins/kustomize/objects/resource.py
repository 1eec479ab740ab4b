"""One object on its way through a build: its body, which is changed in place, and what it was called before.

Names and namespaces change on the way (prefixes, hashes, namespaces), while references in other objects keep the old
ones until the end. So every change of identity is remembered here, beside the prefixes and suffixes that tell equal
names of different overlays apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitopsd_plugins.kustomize.objects.identity import Gvk, Id, effective, gvk_of, text
from gitopsd_plugins.kustomize.objects.shared import Shared

LOCAL = "config.kubernetes.io/local-config"


class Resource:
    """`file` is where it was read (for messages). `hashed`: its name ends in a digest of its content.

    `blanks` are places, map and key, where its file says nothing at all after the colon: merging drops them. `hints` are
    places of lists whose merging its file describes.
    """

    __slots__ = ("behavior", "blanks", "body", "file", "hashed", "hints", "history", "prefixes", "shared", "suffixes")

    def __init__(
        self,
        body: dict[str, Any],
        *,
        file: str = "",
        hashed: bool = False,
        behavior: str = "",
        blanks: Sequence[tuple[dict[str, Any], str]] = (),
        hints: Sequence[tuple[tuple[dict[str, Any], str], Any]] = (),
    ) -> None:
        self.body = body
        self.shared = Shared()
        self.hints = hints
        self.blanks = blanks
        self.file = file
        self.hashed = hashed
        self.behavior = behavior
        self.history: list[tuple[str, str, str]] = []
        self.prefixes: list[str] = []
        self.suffixes: list[str] = []

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}" if self.namespace else f"{self.kind}/{self.name}"

    @property
    def gvk(self) -> Gvk:
        """Group, version and kind now."""
        return gvk_of(self.body)

    @property
    def kind(self) -> str:
        """The kind now."""
        return text(self.body.get("kind"))

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata, made when there is none."""
        metadata = self.body.get("metadata")
        if not isinstance(metadata, dict):
            metadata = self.body["metadata"] = {}
        return metadata

    def _known(self, field: str) -> Any:
        metadata = self.body.get("metadata")
        return metadata.get(field) if isinstance(metadata, dict) else None

    @property
    def name(self) -> str:
        """The name now."""
        return text(self._known("name"))

    @name.setter
    def name(self, value: str) -> None:
        self.metadata["name"] = value

    @property
    def namespace(self) -> str:
        """The namespace as written; '' for none."""
        return text(self._known("namespace"))

    @namespace.setter
    def namespace(self, value: str) -> None:
        if value:
            self.metadata["namespace"] = value
        else:
            self.metadata.pop("namespace", None)

    def labels(self, field: str = "labels") -> dict[str, str]:
        """Labels (or annotations) as texts."""
        found = self._known(field)
        return {key: text(value) for key, value in found.items()} if isinstance(found, dict) else {}

    @property
    def id(self) -> Id:
        """What it is now."""
        gvk = gvk_of(self.body)
        metadata = self.body.get("metadata")
        if not isinstance(metadata, dict):
            return Id(gvk, "", effective(gvk, ""))
        return Id(gvk, text(metadata.get("name")), effective(gvk, text(metadata.get("namespace"))))

    @property
    def previous(self) -> list[Id]:
        """What it was, oldest first; group and version are today's."""
        if not self.history:
            return []
        group, version, _ = gvk_of(self.body)
        return [Id(g := Gvk(group, version, kind), name, effective(g, ns)) for name, ns, kind in self.history]

    @property
    def original(self) -> Id:
        """What it was at first."""
        if not self.history:
            return self.id
        group, version, _ = gvk_of(self.body)
        name, namespace, kind = self.history[0]
        return Id(gvk := Gvk(group, version, kind), name, effective(gvk, namespace))

    def remember(self) -> None:
        """Note what it is now, before its identity changes."""
        at = self.id
        self.history.append((at.name, at.namespace, at.gvk.kind))

    def same_surroundings(self, other: Resource, *, lenient: bool) -> bool:
        """True when prefixes and suffixes end alike; `lenient`: also where either side has none."""
        return _ends_alike(self.prefixes, other.prefixes, lenient) and _ends_alike(
            self.suffixes, other.suffixes, lenient
        )


def _ends_alike(one: list[str], other: list[str], lenient: bool) -> bool:
    if not one or not other:
        return lenient or one == other
    shared = min(len(one), len(other))
    return one[-shared:] == other[-shared:]

"""Field specifications: which fields of which kinds a transformer works on, and the walk to them.

A path such as `spec/template/spec/containers[]/image` goes through maps; lists on the way are always entered, one
element after the other. `[]` says that the field must be a list, `\\/` is a slash inside a name. `create` makes what is
missing on the way, but never list elements.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gitopsd.plugin import Rejected
from gitopsd_plugins.kustomize.objects.identity import Gvk

_ANY = Gvk()
Edit = Callable[[Any, Any], None]
"""Called with the holder (dict or list) and the key or index of each field found."""


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One path, for the kinds that `gvk` selects."""

    path: str
    gvk: Gvk = _ANY
    create: bool = False

    @property
    def steps(self) -> tuple[str, ...]:
        """The path's parts."""
        return tuple(part.replace("\\/", "/") for part in re.split(r"(?<!\\)/", self.path) if part)


class FieldSpecs:
    """A list of specifications that answers quickly which of them concern a kind."""

    def __init__(self, specs: Iterable[FieldSpec]) -> None:
        self.specs = tuple(specs)
        self._by_kind: dict[Gvk, tuple[tuple[tuple[str, ...], bool], ...]] = {}

    def of(self, gvk: Gvk) -> tuple[tuple[tuple[str, ...], bool], ...]:
        """(steps, create) of each specification that selects this kind."""
        found = self._by_kind.get(gvk)
        if found is None:
            found = self._by_kind[gvk] = tuple((s.steps, s.create) for s in self.specs if gvk.selected(s.gvk))
        return found


def merged(*lists: Iterable[FieldSpec]) -> list[FieldSpec]:
    """All specifications, each place once. Raises `Rejected` where two disagree about `create`."""
    result: list[FieldSpec] = []
    for spec in (s for specs in lists for s in specs):
        known = next((r for r in result if r.path == spec.path and r.gvk.selected(spec.gvk)), None)
        if known is None:
            result.append(spec)
        elif known.create != spec.create:
            raise Rejected(f"conflicting fieldspecs for {spec.path}: one creates the field, the other does not")
    return result


def visit(body: dict[str, Any], steps: Sequence[str], edit: Edit, *, make: Callable[[], Any] | None = None) -> None:
    """Call `edit` for each field at the path. `make` gives the value of a field that is created; None creates nothing."""
    if not steps:
        raise Rejected("a field specification has no path")
    try:
        _map(body, steps, 0, edit, make)
    except _NotThere as error:
        raise Rejected(f"field {'/'.join(steps)}: expected a list or map, found {error}") from error


class _NotThere(Exception):  # noqa: N818 - it never leaves this file
    pass


def _map(holder: dict[str, Any], steps: Sequence[str], at: int, edit: Edit, make: Callable[[], Any] | None) -> None:
    step = steps[at]
    listed = step.endswith("[]")
    name = step[:-2] if listed else step
    last = at + 1 == len(steps)
    if name == "*":
        raise Rejected(f"field {'/'.join(steps)}: a wildcard is not supported in a field specification")
    if listed:
        if name not in holder:
            return
        if holder[name] is None:
            holder[name] = []
    elif make is not None:
        if holder.get(name) is None and (not last or name not in holder or not isinstance(make(), str)):
            holder[name] = make() if last else {}
    elif name not in holder:
        return
    if last:
        _end(holder, name, edit, listed)
    else:
        _down(holder[name], steps, at + 1, edit, make)


def _end(holder: dict[str, Any], name: str, edit: Edit, listed: bool) -> None:
    if listed and isinstance(found := holder[name], list):
        for index in range(len(found)):
            edit(found, index)
    else:
        edit(holder, name)


def _down(value: Any, steps: Sequence[str], at: int, edit: Edit, make: Callable[[], Any] | None) -> None:
    if isinstance(value, dict):
        _map(value, steps, at, edit, make)
    elif isinstance(value, list):
        for item in value:
            _down(item, steps, at, edit, make)
    elif value is not None:
        raise _NotThere("a scalar")

"""Where a cluster holds something else than an import says. Pure; a Secret's values are never shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gitopsd.model.identity import ResourceId
from gitopsd.plugin.imports.imported import Imported, Path

_ABSENT = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One object, and the field in which it differs; `path` () where the object is not there at all."""

    id: ResourceId
    path: Path = ()
    wanted: Any = None
    found: Any = None

    def __str__(self) -> str:
        if not self.path:
            return f"{self.id}: is not in the cluster"
        where = ".".join(str(step) for step in self.path)
        if self.id.kind == "Secret" and not self.id.group:
            return f"{self.id}: {where}: differs"
        return f"{self.id}: {where}: the cluster has {_shown(self.found)}, the input says {_shown(self.wanted)}"


def of(objects: Iterable[Imported], live: Mapping[ResourceId, Mapping[str, Any]]) -> Iterator[Difference]:
    """Everything that an object states and the cluster has otherwise; what only the cluster has is no difference."""
    for it in objects:
        found = live.get(it.id)
        if found is None:
            yield Difference(id=it.id)
            continue
        for key, wanted in it.body.items():
            if key not in {"apiVersion", "kind"}:
                yield from _below(it.id, (key,), wanted, found.get(key, _ABSENT))


def _below(id: ResourceId, path: Path, wanted: Any, found: Any) -> Iterator[Difference]:
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        for key, below in wanted.items():
            yield from _below(id, (*path, key), below, found.get(key, _ABSENT))
    elif wanted != found:
        yield Difference(id=id, path=path, wanted=wanted, found=None if found is _ABSENT else found)


def _shown(value: Any) -> str:
    return "nothing" if value is None else msgspec.json.encode(value).decode()

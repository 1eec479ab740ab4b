"""Labels and annotations that one transformer made in several places of an object: kustomize makes them one node.

So whatever changes one of them later changes all: a label that an overlay sets in the metadata alone reaches the selector and
the template that the base created together with it. It follows from how kustomize keeps its documents, not from any rule
that it has, but a build that did otherwise would print something else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Steps = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """One of the places: the path of the map, the map, and the key in it."""

    steps: Steps
    holder: dict[str, Any] = field(repr=False)
    key: str

    @property
    def value(self) -> Any:
        """What stands there; None where it was removed."""
        return self.holder.get(self.key)


@dataclass(slots=True)
class Shared:
    """The groups of places of one object that are one."""

    groups: list[list[Place]] = field(default_factory=list)

    def add(self, places: list[Place]) -> None:
        """These were created together."""
        if len(places) > 1:
            self.groups.append(sorted(places, key=lambda place: place.steps))

    def spread(self, holder: Any, key: Any) -> None:
        """Something was written there: write it to all that are one with it."""
        for group in self.groups:
            if any(place.holder is holder and place.key == key for place in group):
                _write(group, holder[key])

    def values(self) -> list[list[Any]]:
        """What stands where now, to compare with later."""
        return [[place.value for place in group] for group in self.groups]

    def settle(self, before: list[list[Any]]) -> None:
        """Where places changed since, the last one in the order of their paths counts for all."""
        for group, values in zip(self.groups, before, strict=True):
            pairs = zip(group, values, strict=True)
            changed = [place.value for place, old in pairs if place.key in place.holder and place.value != old]
            if changed:
                _write(group, changed[-1])


def _write(group: list[Place], value: Any) -> None:
    for place in group:
        if place.key in place.holder:
            place.holder[place.key] = value

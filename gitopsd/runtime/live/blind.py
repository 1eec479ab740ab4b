"""Mirror and follower of a run without watches (`--once`, `diff`): they hold nothing, so that everything is asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from gitopsd.model.change import Sight
from gitopsd.model.digest import Digest
from gitopsd.model.identity import ObjectRef, ResourceId


class Blind:
    """Implements `Mirror` without ever having seen anything."""

    def holds(self, cluster: str, kinds: Iterable[tuple[str, str]]) -> bool:
        """No watch, unless nothing is to be watched."""
        return not tuple(kinds)

    def sight(self, cluster: str, id: ResourceId) -> Sight | None:
        """Never seen."""
        return None

    def drifted(self, app: ObjectRef) -> frozenset[ResourceId]:
        """Nothing is known to have drifted."""
        return frozenset()

    def expect(
        self, app: ObjectRef, cluster: str, marks: Mapping[ResourceId, str], left: Collection[ResourceId] = ()
    ) -> None:
        """Nobody will look."""

    def writing(self, cluster: str, ids: Iterable[ResourceId]) -> None:
        """Nobody will look."""


class Deaf:
    """Implements `Follower` without ever hearing of anything."""

    def note(self, app: ObjectRef, looked: Mapping[tuple[str, ResourceId], Digest]) -> None:
        """Nobody will follow it."""

    def seen(self, cluster: str, id: ResourceId) -> Digest | None:
        """Never seen."""
        return None

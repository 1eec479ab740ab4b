"""Which app an object belongs to: one table of who wants what, changed without an await between read and write.

The server does not guard this: a second apply under the same field manager steals silently, even without force. So two
apps of one instance that want the same object must be told apart here. Whoever has taken an object keeps it until its own
render stops wanting it; until somebody has taken it, and after, it is the first's by name of those that want it. An app that
is not declared any more holds nothing. All who want an object are in the table: what somebody wants is never pruned, though
it could not be given yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gitopsd.model.identity import ObjectRef, ResourceId

Key = tuple[str, ResourceId]
HOME = ""
"""Stands for the cluster of declared objects: they live in our home, wherever their parent applies to."""


class Claims:
    """The table. At a start it is filled from the inventories."""

    def __init__(self) -> None:
        self._wanting: dict[Key, set[ObjectRef]] = {}
        self._taken: dict[Key, ObjectRef] = {}
        self._of: dict[ObjectRef, set[Key]] = {}

    def want(
        self, app: ObjectRef, cluster: str, ids: Iterable[ResourceId], declared: Iterable[ResourceId] = ()
    ) -> frozenset[ObjectRef]:
        """Make these the whole of what the app wants: objects in a cluster, and declared objects among its manifests.

        Answers with the heirs: apps that may now have what this one let go of.
        """
        wanted = {(cluster, id) for id in ids} | {(HOME, id) for id in declared}
        heirs = self._drop(app, self._of.get(app, set()) - wanted)
        for key in wanted:
            self._wanting.setdefault(key, set()).add(app)
        self._of[app] = wanted
        return heirs

    def take(self, app: ObjectRef) -> Mapping[ResourceId, ObjectRef]:
        """Take all that the app wants and nobody else holds; answers with the rest, and who holds it."""
        others: dict[ResourceId, ObjectRef] = {}
        for key in self._of.get(app, ()):
            holder = self._held_by(key)
            if holder is None or holder == app:
                self._taken[key] = app
            else:
                others[key[1]] = holder
        return others

    def release(self, app: ObjectRef) -> frozenset[ObjectRef]:
        """The app wants nothing any more; answers with its heirs."""
        return self._drop(app, self._of.pop(app, set()))

    def holder(self, cluster: str, id: ResourceId) -> ObjectRef | None:
        """Who holds this object, or comes first for it."""
        return self._held_by((cluster, id))

    def _held_by(self, key: Key) -> ObjectRef | None:
        return self._taken.get(key) or min(self._wanting.get(key, ()), default=None)

    def _drop(self, app: ObjectRef, keys: Iterable[Key]) -> frozenset[ObjectRef]:
        heirs: set[ObjectRef] = set()
        for key in keys:
            held = self._held_by(key) == app
            self._wanting[key].discard(app)
            if self._taken.get(key) == app:
                del self._taken[key]
            if not self._wanting[key]:
                del self._wanting[key]
            elif held and (heir := self._held_by(key)):
                heirs.add(heir)
        return frozenset(heirs)

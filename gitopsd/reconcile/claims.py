"""Which app an object belongs to: one table (cluster, id) -> app, changed without an await between read and write.

The server does not guard this: a second apply under the same field manager steals silently, even without force. So two
apps of one instance that want the same object must be told apart here. The holder keeps an object until its own render
stops wanting it; a holder that is not declared any more holds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gitopsd.model.identity import ObjectRef, ResourceId


class Claims:
    """The table. At a start it is filled from the inventories, in the order of the apps' names."""

    def __init__(self) -> None:
        self._holder: dict[tuple[str, ResourceId], ObjectRef] = {}
        self._held: dict[ObjectRef, set[tuple[str, ResourceId]]] = {}

    def contested(self, app: ObjectRef, cluster: str, ids: Iterable[ResourceId]) -> Mapping[ResourceId, ObjectRef]:
        """Those that another app holds, with its name."""
        return {id: holder for id in ids if (holder := self._holder.get((cluster, id), app)) != app}

    def claim(self, app: ObjectRef, cluster: str, ids: Iterable[ResourceId]) -> Mapping[ResourceId, ObjectRef]:
        """Make these the app's whole claim in this cluster; returns those that another app holds, with its name."""
        wanted = set(ids)
        taken = self.contested(app, cluster, wanted)
        self.release(app)
        mine = {(cluster, id) for id in wanted - taken.keys()}
        self._held[app] = mine
        self._holder.update(dict.fromkeys(mine, app))
        return taken

    def release(self, app: ObjectRef) -> None:
        """The app claims nothing any more."""
        for key in self._held.pop(app, ()):
            del self._holder[key]

    def holder(self, cluster: str, id: ResourceId) -> ObjectRef | None:
        """Who claims this object."""
        return self._holder.get((cluster, id))

"""Watches on everything that apps own, one per kind and cluster, for as long as some app needs it; drift wakes the app.

It is the steps' `Mirror`: what watches show need not be asked for. Of each object it keeps what tells that nothing changed, and
how healthy it is; never its content, which may be large or secret. A kind counts as held once its watch has shown something:
an open stream alone says nothing about whether the server lets us look. What drifts again and again is left alone for a
while, and said; when the while is over, its app looks once more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream

from gitopsd.model.change import Live, Seen, Sight
from gitopsd.model.errors import GitopsdError
from gitopsd.model.health import Verdict
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.plugin.roles import Target
from gitopsd.runtime.live.drift import Drift, DriftTable, GroupKind
from gitopsd.runtime.live.flips import PAUSE, Flips, Pace
from gitopsd.runtime.schedule.backoff import Backoff, jittered
from gitopsd.runtime.schedule.wake import Reason

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

Versions = Callable[[ObjectRef], Mapping[ResourceId, str]]
"""In which version an app's objects are applied."""
AGAIN = Backoff(first=1.0, most=600.0)
"""Between two tries of a watch that is refused."""
_JITTER = 0.2


@dataclass(slots=True, kw_only=True)
class _Cluster:
    table: DriftTable = field(default_factory=DriftTable)
    flips: Flips[ResourceId] = field(default_factory=Flips)
    needs: dict[ObjectRef, frozenset[tuple[str, str, str]]] = field(default_factory=dict)
    changed: anyio.Event = field(default_factory=anyio.Event)
    stirred: anyio.Event = field(default_factory=anyio.Event)
    held: anyio.Event = field(default_factory=anyio.Event)
    blind: dict[GroupKind, set[str]] = field(default_factory=dict)
    """Where a kind cannot be watched for now, by namespace ('' for all)."""

    def need(self, app: ObjectRef, kinds: frozenset[tuple[str, str, str]]) -> None:
        if self.needs.get(app) != kinds:
            self.needs[app] = kinds
            self.changed.set()

    def versions(self) -> Mapping[GroupKind, str]:
        """Every kind that is needed, and in which version it is watched: one for all apps."""
        every = {kind for kinds in self.needs.values() for kind in kinds}
        return {(group, kind): version for group, version, kind in sorted(every, reverse=True)}


class Watches:
    """Implements `Mirror` for all clusters. Made inside the event loop; `follow` is run once per connected target."""

    def __init__(
        self,
        *,
        wake: Callable[[ObjectRef, Reason], object],
        versions: Versions,
        assess: Callable[[Live], Verdict],
        log: FilteringBoundLogger,
        rng: Random,
    ) -> None:
        self._wake = wake
        self._versions = versions
        self._assess = assess
        self._log = log
        self._rng = rng
        self._clusters: dict[str, _Cluster] = {}

    def holds(self, cluster: str, kinds: Iterable[GroupKind]) -> bool:
        """True when a live watch covers each of these (group, kind)."""
        return self._cluster(cluster).table.holds(kinds)

    def sight(self, cluster: str, id: ResourceId) -> Sight | None:
        """The object as last seen; None when no watch has seen it since our last write of it."""
        return self._cluster(cluster).table.sight(id)

    def drifted(self, app: ObjectRef) -> frozenset[ResourceId]:
        """The app's objects whose mark differs from the expected one, or that are gone."""
        return frozenset().union(*(cluster.table.drifted(app) for cluster in self._clusters.values()))

    def expect(
        self, app: ObjectRef, cluster: str, marks: Mapping[ResourceId, str], left: Collection[ResourceId] = ()
    ) -> None:
        """After a reconcile: this is how the app's objects should look from now on."""
        self.track(app, cluster, marks)
        it = self._cluster(cluster)
        it.table.expect(app, marks, anyio.current_time(), left)
        it.stirred.set()

    def writing(self, cluster: str, ids: Iterable[ResourceId]) -> None:
        """Events of these are not judged until the next `expect` of their app."""
        self._cluster(cluster).table.writing(ids)

    def track(self, app: ObjectRef, cluster: str, ids: Collection[ResourceId]) -> None:
        """Watch the kinds of these objects of the app; known from its inventory before it is reconciled at all."""
        for other, it in self._clusters.items():
            if other != cluster and it.needs.pop(app, None) is not None:  # it moved, or another user acts for it now
                it.table.forget(app)
                it.changed.set()
        versions = self._versions(app)
        self._cluster(cluster).need(app, frozenset((id.group, versions.get(id, ""), id.kind) for id in ids))

    def forget(self, app: ObjectRef) -> None:
        """The app is gone."""
        for cluster in self._clusters.values():
            cluster.table.forget(app)
            if cluster.needs.pop(app, None):
                cluster.changed.set()

    async def follow(self, target: Target) -> None:
        """Keep the watches that are needed open on this target, until cancelled."""
        cluster = self._cluster(target.access.cluster)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._mind_time, cluster)
                await self._keep(target, cluster, tasks)
        finally:
            for kind in cluster.versions():
                cluster.table.release(kind)

    async def caught_up(self, name: str, within: float) -> None:
        """Wait until every kind that is needed now is held, for at most so many seconds: after a start nothing is asked twice.

        A kind that cannot be watched keeps nobody waiting.
        """
        cluster = self._cluster(name)
        with anyio.move_on_after(within):
            while not cluster.table.holds(cluster.versions().keys() - cluster.blind.keys()):
                cluster.held = anyio.Event()
                await cluster.held.wait()

    async def check(self, every: float) -> None:
        """The safety net: each app once in `every` seconds, evenly spread, whatever watches say. Never returns."""
        while True:
            apps = sorted({app for cluster in self._clusters.values() for app in cluster.needs})
            for app in apps:
                await anyio.sleep(jittered(every / len(apps), _JITTER, self._rng))
                self._wake(app, Reason.CHECK)
            if not apps:
                await anyio.sleep(every)

    def _cluster(self, name: str) -> _Cluster:
        if name not in self._clusters:  # asked for every object: no `setdefault`, which would make one each time
            self._clusters[name] = _Cluster()
        return self._clusters[name]

    async def _keep(self, target: Target, cluster: _Cluster, tasks: TaskGroup) -> None:
        open_now: dict[GroupKind, anyio.CancelScope] = {}
        while True:
            cluster.changed = anyio.Event()
            wanted = cluster.versions()
            for kind in open_now.keys() - wanted.keys():
                open_now.pop(kind).cancel()
            for kind in wanted.keys() - open_now.keys():
                open_now[kind] = scope = anyio.CancelScope()
                tasks.start_soon(self._watch, target, cluster, kind, wanted[kind], scope, name=f"watch {kind[1]}")
            await cluster.changed.wait()

    async def _watch(
        self, target: Target, cluster: _Cluster, kind: GroupKind, version: str, scope: anyio.CancelScope
    ) -> None:
        """One kind, again and again."""
        failures = 0
        with scope:
            while True:
                try:
                    await self._stream(target, cluster, kind, version)
                except GitopsdError as error:
                    self._log.warning(
                        "cannot watch; the apps' intervals look for drift instead", kind=kind[1], error=str(error)
                    )
                failures += 1
                await anyio.sleep(jittered(AGAIN.delay(failures), _JITTER, self._rng))

    async def _stream(self, target: Target, cluster: _Cluster, kind: GroupKind, version: str) -> None:
        try:
            async with target.watch([(kind[0], version, kind[1])]) as stream:
                async for seen in stream:
                    self._take(cluster, kind, seen)
                    for more in _at_hand(stream):
                        self._take(cluster, kind, more)
        finally:
            cluster.table.release(kind)
            cluster.blind.pop(kind, None)

    def _take(self, cluster: _Cluster, kind: GroupKind, seen: Seen) -> None:
        now = anyio.current_time()
        if self._is_blind(cluster, kind, seen):
            return
        if cluster.table.hold(kind, now):
            cluster.stirred.set()
            cluster.held.set()
        if seen.id is None:
            return  # a full picture follows: what changed meanwhile is told object by object
        sight = Sight.of(seen.live, self._assess(seen.live)) if seen.live else None
        if drift := cluster.table.seen(seen.id, sight, now):
            self._drifted(cluster, drift, now)

    def _is_blind(self, cluster: _Cluster, kind: GroupKind, seen: Seen) -> bool:
        """Whether some of the kind is out of sight: then nothing of it counts as seen, and apps ask for themselves."""
        where = cluster.blind.setdefault(kind, set())
        if seen.broken and not where:
            self._log.warning("cannot watch; the apps' intervals look for drift instead", kind=kind[1])
        if seen.broken:
            where.add(seen.namespace)
        elif seen.relist:
            where.discard(seen.namespace)
        if not where:
            del cluster.blind[kind]
            return False
        cluster.table.release(kind)
        cluster.held.set()
        return True

    def _drifted(self, cluster: _Cluster, drift: Drift, now: float) -> None:
        match cluster.flips.note(drift.id, now):
            case Pace.REPAIR:
                self._wake(drift.app, Reason.DRIFT)
            case Pace.PAUSE:
                cluster.stirred.set()
                self._log.warning(
                    "an object is changed again each time that it is put back; it is left alone for a while",
                    object=str(drift.app),
                    resource=str(drift.id),
                    by=drift.by or "somebody who is not told",
                    seconds=PAUSE,
                )

    async def _mind_time(self, cluster: _Cluster) -> None:
        """Notice what did not show up in time, and what was left alone for long enough."""
        while True:
            cluster.stirred = anyio.Event()
            deadlines = (cluster.table.overdue_at(), cluster.flips.over_at())
            deadline = min((at for at in deadlines if at is not None), default=math.inf)
            with anyio.CancelScope(deadline=deadline) as waiting:
                await cluster.stirred.wait()
            if not waiting.cancelled_caught:
                continue
            now = anyio.current_time()
            for drift in cluster.table.overdue(now):
                self._drifted(cluster, drift, now)
            for app in {app for id in cluster.flips.over(now) if (app := cluster.table.drifted_of(id))}:
                self._wake(app, Reason.DRIFT)


def _at_hand(stream: MemoryObjectReceiveStream[Seen]) -> Iterator[Seen]:
    """What waits already. One event in each turn of a busy loop would fall behind the writes, and look like drift."""
    try:
        while True:
            yield stream.receive_nowait()
    except (anyio.WouldBlock, anyio.EndOfStream):
        return

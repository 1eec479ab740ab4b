"""Follows the ConfigMaps and Secrets that renders asked a cluster for; one that comes to hold something else wakes their apps.

Each is followed by itself, once for all the apps that read it in that cluster as the same user, and only while one does. Of
what it holds nothing is kept but a keyed digest, compared with what each app read last: a change between a look and the first
event is not missed, and an event that tells nothing new wakes nobody. At most `MOST` objects are followed in a cluster, as each
takes a connection; the rest is read again at their apps' intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup

from gitopsd.model.change import Seen
from gitopsd.model.declared import HealthCheck
from gitopsd.model.digest import Digest
from gitopsd.model.errors import GitopsdError
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.plugin.roles import Target
from gitopsd.reconcile import values
from gitopsd.runtime.schedule.backoff import Backoff, jittered
from gitopsd.runtime.schedule.wake import Reason

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

MOST = 100
AGAIN = Backoff(first=1.0, most=600.0)
"""Between two tries to follow an object of which the target gave up."""
_JITTER = 0.2


@dataclass(slots=True, kw_only=True)
class _Followed:
    """One object: what each app read of it last, and what the watch showed last (None: nothing yet)."""

    read: dict[ObjectRef, Digest] = field(default_factory=dict)
    seen: Digest | None = None


@dataclass(slots=True, kw_only=True)
class _Cluster:
    objects: dict[ResourceId, _Followed] = field(default_factory=dict)
    changed: anyio.Event = field(default_factory=anyio.Event)
    full: bool = False
    """It was said that no more can be followed."""


class Lookups:
    """Made inside the event loop; `follow` is run once per connected target. `key` keys the digests."""

    def __init__(
        self, *, wake: Callable[[ObjectRef, Reason], object], key: bytes, log: FilteringBoundLogger, rng: Random
    ) -> None:
        self._wake = wake
        self._key = key
        self._log = log
        self._rng = rng
        self._clusters: dict[str, _Cluster] = {}

    def note(self, app: ObjectRef, looked: Mapping[tuple[str, ResourceId], Digest]) -> None:
        """These are all the objects that the app's newest look asked clusters for, with what they held."""
        for (name, it), held in looked.items():
            self._read(app, self._cluster(name), it, held)
        for name, cluster in self._clusters.items():
            for it in [it for it, o in cluster.objects.items() if app in o.read and (name, it) not in looked]:
                self._drop(app, cluster, it)

    def seen(self, cluster: str, it: ResourceId) -> Digest | None:
        """The digest of what an object holds right now; None while it is out of sight."""
        followed = self._cluster(cluster).objects.get(it)
        return followed.seen if followed else None

    def forget(self, app: ObjectRef) -> None:
        """The app is gone."""
        self.note(app, {})

    async def follow(self, target: Target) -> None:
        """Keep an eye on what is read through this target, until cancelled."""
        cluster = self._cluster(target.access.cluster)
        async with anyio.create_task_group() as tasks:
            await self._keep(target, cluster, tasks)

    def _cluster(self, name: str) -> _Cluster:
        return self._clusters.setdefault(name, _Cluster())

    def _read(self, app: ObjectRef, cluster: _Cluster, it: ResourceId, held: Digest) -> None:
        if it not in cluster.objects:
            cluster.objects[it] = _Followed()
            cluster.changed.set()
        followed = cluster.objects[it]
        before, followed.read[app] = followed.read.get(app), held
        # Either the look or the watch is older. One more look tells, and only one: a watch that lags keeps nobody busy.
        if followed.seen not in {None, held} and before != held:
            self._wake(app, Reason.VALUES)

    def _drop(self, app: ObjectRef, cluster: _Cluster, it: ResourceId) -> None:
        followed = cluster.objects[it]
        del followed.read[app]
        if not followed.read:
            del cluster.objects[it]
            cluster.changed.set()

    async def _keep(self, target: Target, cluster: _Cluster, tasks: TaskGroup) -> None:
        open_now: dict[ResourceId, tuple[_Followed, anyio.CancelScope]] = {}
        while True:
            cluster.changed = anyio.Event()
            for it in [it for it, (followed, _) in open_now.items() if cluster.objects.get(it) is not followed]:
                open_now.pop(it)[1].cancel()
            for it, followed in cluster.objects.items():
                if it not in open_now and len(open_now) < MOST:
                    open_now[it] = followed, anyio.CancelScope()
                    tasks.start_soon(self._object, target, it, *open_now[it], name=f"follow {it}")
            self._say_full(target, cluster)
            await cluster.changed.wait()

    def _say_full(self, target: Target, cluster: _Cluster) -> None:
        if len(cluster.objects) > MOST and not cluster.full:
            self._log.warning(
                "more ConfigMaps and Secrets are read for renders than can be followed; the rest is read at the apps' intervals",
                cluster=target.access.cluster,
                followed=MOST,
                read=len(cluster.objects),
            )
        cluster.full = len(cluster.objects) > MOST

    async def _object(self, target: Target, it: ResourceId, followed: _Followed, scope: anyio.CancelScope) -> None:
        """One object, again and again."""
        failures = 0
        with scope:
            while True:
                try:
                    await self._stream(target, it, followed)
                except GitopsdError as error:
                    self._log.warning(
                        "cannot follow; it is read at the apps' intervals", resource=str(it), error=str(error)
                    )
                failures += 1
                await anyio.sleep(jittered(AGAIN.delay(failures), _JITTER, self._rng))

    async def _stream(self, target: Target, it: ResourceId, followed: _Followed) -> None:
        try:
            async with target.follow([HealthCheck(id=it, version=values.VERSION)]) as stream:
                async for seen in stream:
                    self._take(followed, seen)
        finally:
            followed.seen = None

    def _take(self, followed: _Followed, seen: Seen) -> None:
        if seen.broken:
            followed.seen = None
        if seen.id is None:
            return
        followed.seen = values.held(seen.live, self._key)
        for app in [app for app, read in followed.read.items() if read != followed.seen]:
            self._wake(app, Reason.VALUES)

"""The loop of the controllers: changed objects come in as keys, due ones from a schedule, each is looked at once.

One task, woken by the store's events or the next due time. A controller runs without an await, so it never sees a half
written state. It knows the registry of controllers and no kind by itself.
"""

from __future__ import annotations

import asyncio
import heapq
from types import TracebackType
from typing import Self

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.controllers import registry
from gitopsd_plugins.sandbox.storage.store import CollectionKey, Event, ObjectKey, Stored

Key = tuple[CollectionKey, ObjectKey]

BURST = 200
"""Objects looked at before other tasks get their turn."""


class Controllers:
    """Runs in the background of the context. What a cluster holds at the start is looked at first."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._changed: dict[Key, None] = {}
        self._removed: list[Event] = []
        self._due: list[tuple[float, int, Key]] = []
        self._count = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        for collection, held in self._cluster.store.objects.items():
            self._changed.update(dict.fromkeys((collection, key) for key in held))
        self._cluster.store.listeners.append(self._notice)
        self._wake.set()
        self._task = asyncio.create_task(self._run(), name="sandbox controllers")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cluster.store.listeners.remove(self._notice)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _notice(self, event: Event) -> None:
        if event.after is None:
            self._removed.append(event)
        else:
            self._changed[event.collection, event.last.key] = None
            if owners := registry.after_change(self._cluster, event.last):
                self._add(owners)
        self._wake.set()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._collect_due(loop.time())
            if not self._changed and not self._removed:
                await self._sleep(loop.time())
                continue
            self._step(loop.time())
            await asyncio.sleep(0)

    def _collect_due(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            self._changed[heapq.heappop(self._due)[2]] = None

    async def _sleep(self, now: float) -> None:
        self._wake.clear()
        try:
            async with asyncio.timeout(self._due[0][0] - now if self._due else None):
                await self._wake.wait()
        except TimeoutError:
            return

    def _step(self, now: float) -> None:
        removed, self._removed = self._removed, []
        for event in removed:
            self._add(registry.after_removal(self._cluster, event.last))
        for key in list(self._changed)[:BURST]:
            del self._changed[key]
            self._look(key, now)

    def _add(self, objects: list[Stored]) -> None:
        self._changed.update(dict.fromkeys((each.collection, each.key) for each in objects))

    def _look(self, key: Key, now: float) -> None:
        stored = self._cluster.store.get(*key)
        if stored is None:
            return
        for controller in registry.of(stored):
            stored = self._cluster.store.get(*key)
            if stored is None:
                return
            again = controller(self._cluster, stored, now)
            if again is not None:
                self._count += 1
                heapq.heappush(self._due, (now + again, self._count, key))
        if stored.collection in registry.AT_ONCE and self._has_new_status_only(stored, key):
            self._changed.pop(key, None)

    def _has_new_status_only(self, before: Stored, key: Key) -> bool:
        now = self._cluster.store.get(*key)
        return now is not None and not now.doomed and now.body["spec"] is before.body["spec"]

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from random import Random
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
import structlog
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from structlog.testing import LogCapture

from gitopsd.model.change import Live, Seen, Unmanaged
from gitopsd.model.declared import HealthCheck
from gitopsd.model.digest import Digest
from gitopsd.model.errors import Transient
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.reconcile import values
from gitopsd.runtime.live.lookups import MOST, Lookups
from gitopsd.runtime.schedule.wake import Reason

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

APP, OTHER = (ObjectRef(kind="Kustomization", namespace="flux-system", name=name) for name in ("app", "other"))
KEY = b"k" * 32


def named(name: str) -> ResourceId:
    return ResourceId(group="", kind="Secret", namespace="flux-system", name=name)


IT = named("it")


def live(value: str, it: ResourceId = IT) -> Live:
    body = {"data": {"key": value}}
    return Live(id=it, version="v1", uid="u", resource_version="1", owner=Unmanaged(), mark="", body=body)


def held(value: str | None) -> Digest:
    return values.held(None if value is None else live(value), KEY)


class Cluster:
    """The following half of a target: tests push events, and see what is followed."""

    def __init__(self) -> None:
        self.access = SimpleNamespace(cluster="c")
        self.open: dict[ResourceId, MemoryObjectSendStream[Seen]] = {}
        self.opened = 0
        self.refused = 0

    @asynccontextmanager
    async def follow(self, checks: Collection[HealthCheck]) -> AsyncIterator[MemoryObjectReceiveStream[Seen]]:
        (check,) = checks
        self.opened += 1
        if self.refused:
            self.refused -= 1
            raise Transient("the server is away")
        send, receive = anyio.create_memory_object_stream[Seen](100)
        self.open[check.id] = send
        try:
            with send, receive:
                yield receive
        finally:
            del self.open[check.id]

    async def tell(self, value: str | None) -> None:
        await self.open[IT].send(Seen(id=IT, live=None if value is None else live(value)))
        await anyio.wait_all_tasks_blocked()


class Rig:
    def __init__(self) -> None:
        self.cluster = Cluster()
        self.woken: list[ObjectRef] = []
        self.log = LogCapture()
        self.lookups = Lookups(
            wake=self._wake, key=KEY, log=structlog.wrap_logger(None, processors=[self.log]), rng=Random(0)
        )

    def _wake(self, app: ObjectRef, reason: Reason) -> None:
        assert reason is Reason.VALUES
        self.woken.append(app)

    async def read(self, app: ObjectRef, *names: str, value: str | None = "one") -> None:
        self.lookups.note(app, {("c", named(name)): held(value) for name in names})
        await anyio.wait_all_tasks_blocked()


@asynccontextmanager
async def followed() -> AsyncIterator[Rig]:
    rig = Rig()
    target: Any = rig.cluster
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rig.lookups.follow, target)
        await anyio.wait_all_tasks_blocked()
        try:
            yield rig
        finally:
            tasks.cancel_scope.cancel()


async def test_only_other_content_wakes_and_only_those_that_read_it() -> None:
    async with followed() as rig:
        await rig.read(APP, "it")
        await rig.read(OTHER, "something-else")
        await rig.cluster.tell("one")
        assert rig.woken == []
        await rig.cluster.tell("two")
        await rig.cluster.tell(None)
        assert rig.woken == [APP, APP]


async def test_what_is_missing_and_comes_wakes() -> None:
    async with followed() as rig:
        await rig.read(APP, "it", value=None)
        await rig.cluster.tell(None)
        assert rig.woken == []
        await rig.cluster.tell("one")
        assert rig.woken == [APP]


async def test_an_object_is_followed_once_for_all_apps_and_only_while_one_reads_it() -> None:
    async with followed() as rig:
        await rig.read(APP, "it")
        await rig.read(OTHER, "it")
        assert rig.cluster.opened == 1
        await rig.read(APP)
        assert rig.cluster.open.keys() == {IT}
        rig.lookups.forget(OTHER)
        await anyio.wait_all_tasks_blocked()
        assert not rig.cluster.open


async def test_a_change_between_the_look_and_its_note_is_looked_at_again() -> None:
    async with followed() as rig:
        await rig.read(OTHER, "it", value="two")
        await rig.cluster.tell("two")
        await rig.read(APP, "it", value="one")
        assert rig.woken == [APP]


async def test_a_watch_that_lags_asks_for_one_more_look_only() -> None:
    async with followed() as rig:
        await rig.read(OTHER, "it", value="old")
        await rig.cluster.tell("old")
        for _ in range(3):
            await rig.read(APP, "it", value="new")
        assert rig.woken == [APP]


async def test_an_object_that_cannot_be_followed_is_tried_again_with_patience() -> None:
    async with followed() as rig:
        rig.cluster.refused = 3
        await rig.read(APP, "it")
        await anyio.sleep(2)
        assert rig.cluster.opened == 2
        await anyio.sleep(30)
        assert rig.cluster.opened == 4
        assert IT in rig.cluster.open
        assert {line["resource"] for line in rig.log.entries} == {str(IT)}


async def test_more_than_can_be_followed_is_said_once_and_the_next_one_moves_up() -> None:
    async with followed() as rig:
        names = [f"n{number}" for number in range(MOST + 2)]
        await rig.read(APP, *names)
        await rig.read(APP, *names, "one-more")
        assert len(rig.cluster.open) == MOST
        assert [line["followed"] for line in rig.log.entries] == [MOST]
        await rig.read(APP, *names[10:])
        assert rig.cluster.open.keys() == set(map(named, names[10:]))


async def test_no_content_is_kept() -> None:
    async with followed() as rig:
        await rig.read(APP, "it", value="hush-hush")
        await rig.cluster.tell("hush-hush")
        assert "hush-hush" not in repr([vars(rig.lookups)])

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from random import Random
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import structlog
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from structlog.testing import LogCapture

from gitopsd.model.change import Live, Ours, Seen
from gitopsd.model.errors import Rejected
from gitopsd.model.health import Health, Verdict
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.runtime.live.drift import GRACE
from gitopsd.runtime.live.flips import PAUSE
from gitopsd.runtime.live.watches import Watches
from gitopsd.runtime.schedule.wake import Reason

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

APP = ObjectRef(kind="Kustomization", namespace="flux-system", name="apps")
OTHER = ObjectRef(kind="Kustomization", namespace="flux-system", name="other")
MANY = [f"n{number}" for number in range(50)]
MAP, JOB = ("", "ConfigMap"), ("batch", "Job")


def id_of(name: str = "a", kind: tuple[str, str] = MAP) -> ResourceId:
    return ResourceId(group=kind[0], kind=kind[1], namespace="default", name=name)


def seen(mark: str, name: str = "a") -> Seen:
    live = Live(
        id=id_of(name),
        version="v1",
        uid="u",
        resource_version="1",
        owner=Ours(app=APP),
        mark=mark,
        body={},
        changed_by="enforcer" if mark == "foreign" else "",
    )
    return Seen(id=live.id, live=live)


class Cluster:
    """The watching half of a target: tests push events, and see which watches are open."""

    def __init__(self) -> None:
        self.access = SimpleNamespace(cluster="c")
        self.open: dict[tuple[str, str, str], MemoryObjectSendStream[Seen]] = {}
        self.opened: list[tuple[str, str, str]] = []
        self.refused = 0

    @asynccontextmanager
    async def watch(self, kinds: Collection[tuple[str, str, str]]) -> AsyncIterator[MemoryObjectReceiveStream[Seen]]:
        (kind,) = kinds
        self.opened.append(kind)
        if self.refused:
            self.refused -= 1
            raise Rejected("may not watch")
        send, receive = anyio.create_memory_object_stream[Seen](100)
        self.open[kind] = send
        try:
            with send, receive:
                yield receive
        finally:
            del self.open[kind]

    async def tell(self, *events: Seen) -> None:
        for event in events:
            await self.open["", "v1", "ConfigMap"].send(event)
        await anyio.wait_all_tasks_blocked()


class Rig:
    def __init__(self) -> None:
        self.cluster = Cluster()
        self.woken: list[tuple[ObjectRef, Reason]] = []
        self.log = LogCapture()
        self.watches = Watches(
            assess=lambda live: Verdict(health=Health.CURRENT),
            wake=lambda ref, reason: self.woken.append((ref, reason)),
            versions=lambda app: dict.fromkeys((id_of(), id_of("b"), id_of(kind=JOB), *map(id_of, MANY)), "v1"),
            log=structlog.wrap_logger(None, processors=[self.log]),
            rng=Random(0),
        )


@asynccontextmanager
async def followed() -> AsyncIterator[Rig]:
    rig = Rig()
    target: Any = rig.cluster
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rig.watches.follow, target)
        await anyio.wait_all_tasks_blocked()
        try:
            yield rig
        finally:
            tasks.cancel_scope.cancel()


async def test_drift_wakes_the_app_once_it_is_seen() -> None:
    async with followed() as rig:
        rig.watches.expect(APP, "c", {id_of(): "m1"})
        await anyio.wait_all_tasks_blocked()
        await rig.cluster.tell(seen("m1"))
        assert rig.woken == []

        await rig.cluster.tell(seen("foreign"))

        assert rig.woken == [(APP, Reason.DRIFT)]
        assert rig.watches.drifted(APP) == {id_of()}


async def test_all_that_waits_is_taken_in_one_turn_so_that_a_busy_loop_does_not_look_like_drift() -> None:
    async with followed() as rig:
        rig.watches.expect(APP, "c", {id_of(name): "m1" for name in MANY} | {id_of(): "m1"})
        await anyio.wait_all_tasks_blocked()
        await rig.cluster.tell(seen("m1"))

        for name in MANY:
            rig.cluster.open["", "v1", "ConfigMap"].send_nowait(seen("m1", name))
        for _ in range(4):
            await anyio.lowlevel.checkpoint()

        assert [rig.watches.sight("c", id_of(name)) is not None for name in MANY] == [True] * 50


async def test_a_kind_is_held_from_the_first_thing_that_its_watch_shows_until_it_ends() -> None:
    async with followed() as rig:
        rig.watches.expect(APP, "c", {id_of(): "m1"})
        await anyio.wait_all_tasks_blocked()
        assert not rig.watches.holds("c", [MAP])

        await rig.cluster.tell(seen("m1"))
        assert rig.watches.holds("c", [MAP])
        assert rig.watches.sight("c", id_of()) is not None

        await rig.cluster.open["", "v1", "ConfigMap"].aclose()
        await anyio.wait_all_tasks_blocked()
        assert not rig.watches.holds("c", [MAP])
        assert rig.watches.sight("c", id_of()) is None


async def test_each_kind_is_watched_once_for_as_long_as_an_app_needs_it() -> None:
    async with followed() as rig:
        rig.watches.expect(APP, "c", {id_of(): "", id_of(kind=JOB): ""})
        rig.watches.expect(OTHER, "c", {id_of("b"): ""})
        await anyio.wait_all_tasks_blocked()
        assert sorted(rig.cluster.opened) == [("", "v1", "ConfigMap"), ("batch", "v1", "Job")]

        rig.watches.expect(APP, "c", {id_of(): ""})
        await anyio.wait_all_tasks_blocked()
        assert set(rig.cluster.open) == {("", "v1", "ConfigMap")}

        rig.watches.forget(APP)
        rig.watches.forget(OTHER)
        await anyio.wait_all_tasks_blocked()
        assert rig.cluster.open == {}


async def test_the_kinds_of_an_inventory_are_watched_before_the_first_reconcile() -> None:
    async with followed() as rig:
        rig.watches.track(APP, "c", [id_of()])
        await anyio.wait_all_tasks_blocked()

        assert set(rig.cluster.open) == {("", "v1", "ConfigMap")}


async def test_what_a_watch_does_not_show_in_time_wakes_its_app() -> None:
    async with followed() as rig:
        rig.watches.expect(APP, "c", {id_of("a"): "m1", id_of("b"): "m1"})
        await anyio.wait_all_tasks_blocked()
        await rig.cluster.tell(seen("m1", "a"))

        await anyio.sleep(GRACE + 0.1)

        assert rig.woken == [(APP, Reason.DRIFT)]
        assert rig.watches.drifted(APP) == {id_of("b")}


async def test_an_object_that_is_changed_again_and_again_is_left_alone_and_said_so() -> None:
    async with followed() as rig:
        rig.watches.expect(APP, "c", {id_of(): "m1"})
        await anyio.wait_all_tasks_blocked()
        for _ in range(8):
            await rig.cluster.tell(seen("m1"), seen("foreign"))

        assert len(rig.woken) == 4
        (said,) = rig.log.entries
        assert (said["resource"], said["by"]) == ("ConfigMap/default/a", "enforcer")


@pytest.mark.parametrize(("left", "looks"), [("foreign", [(APP, Reason.DRIFT)]), ("m1", [])])
async def test_when_the_pause_is_over_what_is_still_changed_is_put_back(
    left: str, looks: list[tuple[ObjectRef, Reason]]
) -> None:
    async with followed() as rig:
        rig.watches.expect(APP, "c", {id_of(): "m1"})
        await anyio.wait_all_tasks_blocked()
        for _ in range(5):
            await rig.cluster.tell(seen("m1"), seen("foreign"))
        rig.woken.clear()
        await anyio.sleep(PAUSE / 2)
        await rig.cluster.tell(seen("m1"), seen(left))
        assert rig.woken == []

        await anyio.sleep(PAUSE / 2 + 1)

        assert rig.woken == looks


async def test_an_object_of_the_same_name_in_another_cluster_is_another_object() -> None:
    async with followed() as rig:
        for app, cluster in ((APP, "c"), (OTHER, "other")):
            rig.watches.expect(app, cluster, {id_of(): "m1"})
        await anyio.wait_all_tasks_blocked()
        for _ in range(5):
            await rig.cluster.tell(seen("m1"), seen("foreign"))
        rig.woken.clear()
        target: Any = Cluster()
        target.access = SimpleNamespace(cluster="other")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(rig.watches.follow, target)
            await anyio.wait_all_tasks_blocked()

            await target.tell(seen("foreign"))
            await anyio.sleep(GRACE + 0.1)

            assert rig.woken == [(OTHER, Reason.DRIFT)]
            tasks.cancel_scope.cancel()


async def test_a_refused_watch_is_tried_again_ever_more_rarely() -> None:
    async with followed() as rig:
        rig.cluster.refused = 1000
        rig.watches.expect(APP, "c", {id_of(): "m1"})
        await anyio.sleep(3600)

        assert 8 <= len(rig.cluster.opened) <= 20
        assert not rig.watches.holds("c", [MAP])
        assert rig.woken == []


async def test_each_app_is_checked_once_in_a_round_whatever_watches_say() -> None:
    rig = Rig()
    rig.watches.track(APP, "c", [id_of()])
    rig.watches.track(OTHER, "c", [id_of("b")])

    with anyio.move_on_after(3600 * 10):
        await rig.watches.check(3600)

    checks = [ref for ref, reason in rig.woken if reason is Reason.CHECK]
    assert 8 <= checks.count(APP) <= 12
    assert 8 <= checks.count(OTHER) <= 12
    assert asyncio.get_running_loop().time() == 36_000


async def test_catching_up_ends_when_all_watches_have_shown_something_or_time_is_over() -> None:
    async with followed() as rig:
        rig.watches.expect(APP, "c", {id_of(): "m1"})
        await anyio.wait_all_tasks_blocked()

        with anyio.move_on_after(4) as early:
            await rig.watches.caught_up("c", 5.0)
        assert early.cancelled_caught
        await rig.watches.caught_up("c", 5.0)

        await rig.cluster.tell(seen("m1"))
        with anyio.fail_after(1):
            await rig.watches.caught_up("c", 5.0)


async def test_an_app_that_another_user_acts_for_is_watched_by_him_only() -> None:
    async with followed() as rig:
        rig.watches.expect(APP, "c", {id_of(): "m1"})
        await anyio.wait_all_tasks_blocked()
        assert ("", "v1", "ConfigMap") in rig.cluster.open
        rig.watches.expect(APP, "c as somebody", {id_of(): "m1"})
        await anyio.wait_all_tasks_blocked()
        assert rig.cluster.open == {}
        await anyio.sleep(GRACE + 0.1)
        assert rig.woken == []

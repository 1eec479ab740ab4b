"""What people decide, by command and in Git: kept in the cluster with who, when and why, over restarts and a lost disk."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from fakes.proxy import proxy, status
from fakes.world import SOURCE, World, app_ref, gone, kustomization, maps

from gitopsd.config.problems import ConfigError
from gitopsd.model.errors import Transient, UsageError
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.runtime.asked.decisions import Decisions
from gitopsd.runtime.asked.local_control import LocalControl
from gitopsd.runtime.engine import Engine

pytestmark = pytest.mark.asyncio

APP = app_ref("app")
ABC = ("a", "b", "c", "d")
SECOND = """
apiVersion: gitopsd.io/v1alpha1
kind: Cluster
metadata: {name: second}
spec: {sandbox: {}}
"""


def now() -> datetime:
    return datetime.now(UTC)


async def ready(world: World, *spec: str, annotations: str = "{}") -> None:
    world.repository.commit(maps("app", *ABC))
    world.declare(kustomization("app", *spec, annotations=annotations))


async def test_a_restart_never_resumes_a_suspended_app_even_with_a_lost_disk(either: World) -> None:
    await ready(either)
    async with either.engine() as engine:
        await either.until("app")
        await LocalControl(engine).suspend("ks/app", "ada", "incident 42", None)
        await either.until("app", Phase.SUSPENDED)
    either.repository.commit(maps("app", "new"))
    for lost in (False, True):
        if lost:
            shutil.rmtree(either.folder / "state")
        outcome = await either.app()
        assert (outcome.phase, outcome.message) == (Phase.SUSPENDED, "suspended by ada: incident 42")
    assert not await either.exists("new")


async def ends_by_itself(world: World, suspend: Callable[[datetime], Awaitable[object]]) -> None:
    """Suspended until a moment, it is left alone until then, and not any longer. A busy machine may be late for the first."""
    for seconds in (1, 4, 16):
        since, end = len(world.heard.outcomes), now() + timedelta(seconds=seconds)
        await suspend(end)
        first = await world.heard.until(lambda o: o.ref == APP and o.phase is not Phase.PROGRESSING, since)
        resumed = await world.until("app", since=since)
        assert resumed.finished >= end
        if first.phase is Phase.SUSPENDED:
            return
    pytest.fail("nobody looked at it within 16 s")


async def test_a_suspension_with_an_end_resumes_by_itself(either: World) -> None:
    await ready(either)
    async with either.engine() as engine:
        await either.until("app")
        control = LocalControl(engine)
        await ends_by_itself(either, lambda end: control.suspend("ks/app", "ada", "", end))


async def test_who_resumes_for_a_while_finds_it_suspended_again(either: World) -> None:
    await ready(either)
    async with either.engine() as engine:
        await either.until("app")
        control = LocalControl(engine)
        await control.suspend("ks/app", "ada", "", None)
        await either.until("app", Phase.SUSPENDED)
        since = len(either.heard.outcomes)
        await control.resume("ks/app", "grace", "one look", now() + timedelta(hours=1))
        await either.until("app", Phase.READY, since=since)
        assert (await engine.reconcile(APP, "within the hour")).phase is Phase.READY
        await control.resume("ks/app", "grace", "one look", now() - timedelta(seconds=1))
        outcome = await engine.reconcile(APP, "when it is over")
    assert (outcome.phase, outcome.message) == (Phase.SUSPENDED, "suspended by grace: one look")


async def test_an_app_is_suspended_in_git(either: World) -> None:
    await ready(either, annotations='{gitopsd.io/suspend: "true", gitopsd.io/reason: holidays}')
    outcome = await either.app()
    assert outcome.phase is Phase.SUSPENDED
    assert re.fullmatch(rf"suspended by {either.config}:\d+: holidays", outcome.message)
    assert not await either.exists("a")
    either.declare(kustomization("app"))
    assert (await either.app()).phase is Phase.READY


async def test_a_suspension_in_git_ends_by_itself(either: World) -> None:
    await ready(either, annotations='{gitopsd.io/suspend: "true"}')
    async with either.engine() as engine:
        await either.until("app", Phase.SUSPENDED)

        async def suspend(end: datetime) -> None:
            either.declare(kustomization("app", annotations=f'{{gitopsd.io/suspend: "{end.isoformat()}"}}'))
            engine.declare(either.load().declared)

        await ends_by_itself(either, suspend)
    assert await either.exists("a")


async def test_a_suspension_in_git_that_is_no_time_is_refused(world: World) -> None:
    world.declare(kustomization("app", annotations='{gitopsd.io/suspend: "soon"}'))
    with pytest.raises(ConfigError, match="'soon' is neither true nor a time"):
        world.load()


async def test_an_approval_lapses(either: World) -> None:
    await ready(either)
    assert (await either.app()).phase is Phase.READY
    either.repository.commit(gone("app", "a", "b", "c"))
    async with either.engine() as engine:
        refused = await either.until("app", Phase.WAITING)
        assert refused.reason == "DeletionNotApproved"
        assert refused.plan is not None
        control, since = LocalControl(engine), len(either.heard.outcomes)
        await control.approve("ks/app", "ada", "", "", now() - timedelta(seconds=1))
        again = await engine.reconcile(APP, "again")
        assert again.reason == "DeletionNotApproved"
        assert await either.exists("a", "b", "c")
        await control.approve("ks/app", "ada", "", "", now() + timedelta(hours=1))
        await either.until("app", Phase.READY, since=since)
    assert not await either.exists("a")


async def test_decisions_stand_in_the_history_with_who_and_why(world: World) -> None:
    await ready(world)
    async with world.engine() as engine:
        await world.until("app")
        control = LocalControl(engine)
        end = datetime(2100, 1, 1, tzinfo=UTC)
        await control.suspend("ks/app", "ada", "incident 42", end)
        await control.resume("ks/app", "grace", "over")
        rows: list[Any] = list(await control.history(["ks/app"], 10))
    assert [(row.actor, dict(row.counts), row.reason) for row in rows[:2]] == [
        ("grace", {"resume": 1}, "resumed: over"),
        ("ada", {"suspend": 1}, "suspended until 2100-01-01T00:00:00Z: incident 42"),
    ]
    assert dict(rows[2].counts) == {"create": 4}


async def test_a_declared_app_is_not_deleted_and_nothing_is_noted(world: World) -> None:
    await ready(world)
    async with world.engine() as engine:
        await world.until("app")
        control = LocalControl(engine)
        with pytest.raises(UsageError, match="its declaration brings it back"):
            await control.delete("ks/app", "t", "ada", "why not")
        assert all("delete" not in row.counts for row in await control.history([], 10))


async def orphaned(world: World) -> None:
    """An app whose declaration is gone, with all that it applied."""
    await ready(world)
    assert (await world.app()).phase is Phase.READY
    world.declare()


@asynccontextmanager
async def keeping(world: World, name: str) -> AsyncIterator[Engine]:
    """The engine at work on a cluster where this ConfigMap cannot be deleted."""
    async with proxy(world.running.url, world.tls) as way:
        way.add(status(500, message="not now"), method="DELETE", path=f"/configmaps/{name}$")
        world.through = way.url
        world.declare()
        async with world.engine() as engine:
            await engine.reached()
            yield engine
    world.through = ""
    world.declare()


async def delete(engine: Engine, *, hours: float = 1.0) -> Outcome:
    until = now() + timedelta(hours=hours)
    return await Decisions(engine).delete(APP, "asked", actor="ada", reason="the old stack goes", until=until)


async def of_people(engine: Engine) -> list[tuple[str, str, str]]:
    """The rows of the ledger about decisions, the newest first: who, what, why."""
    await engine.written()
    rows = await LocalControl(engine).history([], 20)
    verbs = [(row, verb) for row in rows for verb in row.counts if verb in {"suspend", "resume", "delete"}]
    return [(row.actor, verb, row.reason.rpartition(": ")[2]) for row, verb in verbs if row.actor in {"ada", "grace"}]


async def test_every_decision_is_in_the_history_again_after_the_disk_was_lost(either: World) -> None:
    await ready(either)
    async with either.engine() as engine:
        await either.until("app")
        await LocalControl(engine).suspend("ks/app", "ada", "incident 42", None)
        await LocalControl(engine).resume("ks/app", "grace", "over")
        before = await of_people(engine)
    shutil.rmtree(either.folder / "state")
    async with either.engine() as engine:
        await engine.once()
        assert await of_people(engine) == before == [("grace", "resume", "over"), ("ada", "suspend", "incident 42")]


async def test_decisions_that_the_ledger_has_are_not_noted_again(world: World) -> None:
    await ready(world)
    async with world.engine() as engine:
        await world.until("app")
        await LocalControl(engine).suspend("ks/app", "ada", "incident 42", None)
    for _ in range(2):
        async with world.engine() as engine:
            await engine.once()
            assert await of_people(engine) == [("ada", "suspend", "incident 42")]


async def test_a_deletion_goes_on_after_a_restart_with_a_lost_disk(either: World) -> None:
    await orphaned(either)
    async with keeping(either, "a") as engine:
        outcome = await delete(engine)
        assert (outcome.phase, await either.exists("a"), await either.exists("b")) == (Phase.RETRYING, True, False)
    shutil.rmtree(either.folder / "state")
    async with either.engine() as engine:
        await engine.reached()
        await either.until("app", Phase.DELETED)
        assert await of_people(engine) == [("ada", "delete", "the old stack goes")]
    assert not await either.exists("a")


async def test_a_deletion_is_void_when_its_time_is_over(either: World) -> None:
    await orphaned(either)
    async with keeping(either, "a") as engine:
        outcome = await delete(engine, hours=1 / 3600)
        with anyio.fail_after(20):
            while outcome.phase is Phase.RETRYING:
                outcome = await engine.reconcile(APP, "again")
        assert outcome.phase is Phase.ORPHANED
        assert "was not carried out in time" in outcome.message
        assert engine.view(APP).phase is Phase.ORPHANED
    async with either.engine() as engine:
        await engine.reached()
        await engine.once()
        assert engine.view(APP).phase is Phase.ORPHANED
        assert await either.exists("a")
        assert (await delete(engine)).phase is Phase.DELETED
    assert not await either.exists("a")


async def test_a_deletion_that_is_asked_for_too_late_is_refused(world: World) -> None:
    await orphaned(world)
    async with world.engine() as engine:
        await engine.reached()
        with pytest.raises(UsageError, match="the time until which it may be has passed"):
            await delete(engine, hours=-1)
    assert await world.exists(*ABC)


async def test_a_deletion_begins_only_when_every_app_has_rendered(either: World) -> None:
    await orphaned(either)
    async with keeping(either, "a") as engine:
        await delete(engine)
    either.declare(kustomization("other"))
    async with either.engine() as engine:
        assert (await engine.once())[app_ref("other")].phase is Phase.RETRYING  # its path is not there
        assert engine.view(APP).phase is Phase.ORPHANED
        either.repository.commit(maps("other", "z"))
        await engine.reconcile(SOURCE, "news")
        await either.until("app", Phase.DELETED)
    assert not await either.exists("a")


async def test_who_declares_an_app_again_ends_its_deletion_for_good(either: World) -> None:
    await orphaned(either)
    async with keeping(either, "a") as engine:
        await delete(engine)
    either.declare(kustomization("app"))
    assert (await either.app()).phase is Phase.READY
    assert await either.exists(*ABC)
    either.declare()
    async with either.engine() as engine:
        await engine.reached()
        await engine.once()
        assert engine.view(APP).phase is Phase.ORPHANED
    assert await either.exists(*ABC)


async def not_to_be_deleted(world: World) -> None:
    """The declaration may vanish again: what it applied is kept, by the next process too."""
    world.declare()
    async with world.engine() as engine:
        await engine.reached()
        await engine.once()
        assert engine.view(APP).phase is Phase.ORPHANED
    assert await world.exists("a")


async def test_a_suspended_app_that_is_declared_again_is_not_to_be_deleted_either(either: World) -> None:
    await ready(either)
    async with either.engine() as engine:
        await either.until("app")
        await LocalControl(engine).suspend("ks/app", "grace", "keep it", None)
    async with keeping(either, "a") as engine:
        await delete(engine)
    either.declare(kustomization("app"))
    assert (await either.app()).phase is Phase.SUSPENDED
    await not_to_be_deleted(either)


@pytest.mark.parametrize("how", ["by Flux's field", "by our annotation"])
async def test_nor_is_one_that_is_declared_again_as_suspended(either: World, how: str) -> None:
    await orphaned(either)
    async with keeping(either, "a") as engine:
        await delete(engine)
    if how == "by Flux's field":
        either.declare(kustomization("app", "suspend: true"))
    else:
        either.declare(kustomization("app", annotations='{gitopsd.io/suspend: "true"}'))
    assert (await either.app()).phase is Phase.SUSPENDED
    await not_to_be_deleted(either)


async def test_nor_one_that_was_declared_so_while_its_cluster_was_away(world: World) -> None:
    await orphaned(world)
    async with keeping(world, "a") as engine:
        await delete(engine)
    async with proxy(world.running.url) as way:
        await way.stop()
        world.through = way.url
        world.declare(kustomization("app", "suspend: true"))
        async with world.engine() as engine:
            assert (await engine.once())[APP].phase is Phase.SUSPENDED
            await way.start()
            with anyio.fail_after(20):
                while not engine.board.listed:
                    with suppress(Transient):
                        await engine.reached()
                    await anyio.lowlevel.checkpoint()
            await engine.once()
    world.through = ""
    await not_to_be_deleted(world)


async def test_an_orphan_is_deleted_in_the_cluster_where_it_is_among_several(world: World) -> None:
    await orphaned(world)
    world.config.write_text(world.config.read_text() + "---\n" + SECOND)
    async with world.engine() as engine:
        await engine.clusters.target("test")
        assert (await delete(engine)).phase is Phase.DELETED
    assert not await world.exists("a")

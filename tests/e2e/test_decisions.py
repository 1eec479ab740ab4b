"""What people decide, by command and in Git: kept in the cluster with who, when and why, over restarts and a lost disk."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fakes.world import World, app_ref, gone, kustomization, maps

from gitopsd.config.problems import ConfigError
from gitopsd.model.errors import UsageError
from gitopsd.model.outcome import Phase
from gitopsd.runtime.control import LocalControl

pytestmark = pytest.mark.asyncio

APP = app_ref("app")
ABC = ("a", "b", "c", "d")


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


async def test_a_suspension_with_an_end_resumes_by_itself(either: World) -> None:
    await ready(either)
    async with either.engine() as engine:
        await either.until("app")
        await LocalControl(engine).suspend("ks/app", "ada", "", now() + timedelta(seconds=1))
        since = len(either.heard.outcomes)
        await either.until("app", Phase.SUSPENDED)
        await either.until("app", Phase.READY, since=since)


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


async def test_a_suspension_in_git_ends_by_itself(world: World) -> None:
    end = (now() + timedelta(seconds=4)).isoformat()
    await ready(world, annotations=f'{{gitopsd.io/suspend: "{end}"}}')
    async with world.engine():
        await world.until("app", Phase.SUSPENDED)
        await world.until("app", Phase.READY)
    assert await world.exists("a")


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

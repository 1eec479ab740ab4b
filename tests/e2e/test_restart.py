"""A daemon that starts again: what is stored serves at once, and nobody is asked before the time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from fakes.git_server import Behaviour, http_server
from fakes.world import SOURCE, World, kustomization, maps, repository

from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Phase
from gitopsd.model.tree import Polled
from gitopsd.store import Store

pytestmark = pytest.mark.asyncio


@pytest.fixture
def server(world: World) -> Iterator[Behaviour]:
    """The world's repository over http, declared and applied once by an earlier run."""
    with http_server(world.folder / "repo.git") as running:
        world.repository.commit(maps("app", "a"))
        world.declare(kustomization("app"), source=repository(running.url, "ref: {branch: main}"))
        yield running.behaviour


async def applied(world: World, server: Behaviour) -> None:
    assert (await world.app()).phase is Phase.READY
    server.requests.clear()
    world.heard.outcomes.clear()


def polls(world: World, change: Mapping[ObjectRef, Polled] | None = None) -> Mapping[ObjectRef, Polled]:
    with Store.open(world.folder / "state") as store:
        store.keep_polls(change or {})
        return store.polls()


async def test_what_is_stored_is_applied_without_asking_anybody(world: World, server: Behaviour) -> None:
    await applied(world, server)
    await world.send("DELETE", "/api/v1/namespaces/default/configmaps/a")

    async with world.engine(watch=True, resume=True) as engine:
        await world.until("app")
        due = engine.view(SOURCE).due

    assert await world.exists("a")
    assert server.requests == []
    assert due is not None
    assert 0 < due <= 3600


async def test_person_who_asks_gets_the_newest(world: World, server: Behaviour) -> None:
    await applied(world, server)
    new = world.repository.commit(maps("app", "b"))

    async with world.engine(watch=True, resume=True) as engine:
        outcome = await engine.reconcile(SOURCE, "now")
        await world.until("app", at=new)

    assert str(outcome.applied).endswith(new)
    assert await world.exists("b")


async def test_after_an_interval_it_serves_and_asks_at_once(world: World, server: Behaviour) -> None:
    await applied(world, server)
    old, new = polls(world)[SOURCE], world.repository.commit(maps("app", "b"))
    polls(world, {SOURCE: Polled(at=datetime.now(UTC) - timedelta(hours=2), spec=old.spec)})

    async with world.engine(watch=True, resume=True):
        await world.until("app", at=new)

    first = next(outcome for outcome in world.heard.outcomes if outcome.ref == SOURCE)
    assert str(first.applied) == f"main@sha1:{old_commit(world)}"


def old_commit(world: World) -> str:
    """Of the artifact before the newest."""
    with Store.open(world.folder / "state") as store:
        return store.artifacts(SOURCE)[1].revision.digest.removeprefix("sha1:")


@pytest.mark.parametrize("broken", ["declared otherwise", "failed last"])
async def test_who_has_to_be_asked_is_asked_first(world: World, server: Behaviour, broken: str) -> None:
    await applied(world, server)
    new = world.repository.commit(maps("app", "b"))
    if broken == "failed last":
        server.status = 500
        await world.once()
        assert polls(world)[SOURCE].failing
        server.status = 0
    else:
        config = world.config.read_text()
        world.config.write_text(config.replace("ref: {branch: main}", "ref: {name: refs/heads/main}"))
    world.heard.outcomes.clear()

    async with world.engine(watch=True, resume=True):
        await world.until("app", at=new)

    assert [str(o.applied).endswith(new) for o in world.heard.outcomes if o.ref == SOURCE] == [True]

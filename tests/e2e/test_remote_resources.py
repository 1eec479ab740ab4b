"""Resources that a kustomization names by their address, from the declaration to the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import git_server, web_files
from fakes.git_repository import GitRepository
from fakes.git_server import HttpServer
from fakes.web_files import WebFiles
from fakes.world import World, app_ref, config_map, kustomization

from gitopsd.model.outcome import Phase

pytestmark = pytest.mark.asyncio
ALLOWED = "  remoteResources: {hosts: [127.0.0.1], http: true}\n"


@pytest.fixture
def elsewhere(tmp_path: Path) -> GitRepository:
    """Another repository, of which nothing is declared."""
    made = GitRepository(tmp_path / "elsewhere.git")
    base = {"base/kustomization.yaml": "resources: [a.yaml]\n", "base/a.yaml": config_map("a", key="one")}
    made.commit({**base, "unread.yaml": "old"})
    return made


@pytest.fixture
def git(elsewhere: GitRepository) -> Iterator[HttpServer]:
    with git_server.http_server(elsewhere.path) as server:
        yield server


@pytest.fixture
def web() -> Iterator[WebFiles]:
    with web_files.serve({"/b.yaml": config_map("b", key="one")}) as it:
        yield it


def declared(world: World, *resources: str, settings: str = ALLOWED) -> None:
    world.settings = settings
    world.repository.commit({"app/kustomization.yaml": f"resources: {list(resources)}\n"})
    world.declare(kustomization("app"))


async def key(world: World, name: str) -> str:
    found = await world.get(f"/api/v1/namespaces/default/configmaps/{name}")
    return found["data"]["key"] if found else ""


def packs(git: HttpServer) -> int:
    """How often the server was asked for anything."""
    return len(git.behaviour.requests)


async def test_it_is_refused_until_a_setting_allows_it(world: World, git: HttpServer) -> None:
    declared(world, f"{git.url}//base?ref=main", settings="")
    outcome = await world.app()
    assert outcome.phase is Phase.RETRYING
    assert f"resources[0]: app: '{git.url}//base?ref=main' is remote" in outcome.message
    assert "remoteResources.hosts" in outcome.message
    assert git.behaviour.requests == []


async def test_another_host_stalls_the_app_and_is_not_asked(world: World, git: HttpServer) -> None:
    declared(world, f"{git.url}//base?ref=main", settings="  remoteResources: {hosts: [example.org], http: true}\n")
    outcome = await world.app()
    assert outcome.phase is Phase.STALLED
    assert "the host '127.0.0.1' is not among those of the setting remoteResources.hosts" in outcome.message
    assert git.behaviour.requests == []


async def test_what_changes_elsewhere_is_applied_when_the_app_is_asked_for(
    world: World, elsewhere: GitRepository, git: HttpServer, web: WebFiles
) -> None:
    declared(world, f"{git.url}//base?ref=main", f"{web.url}/b.yaml")
    async with world.engine() as engine:
        await world.until("app")
        assert [await key(world, name) for name in "ab"] == ["one", "one"]
        before = engine.board.renders[app_ref("app")].outline
        asked = packs(git)

        world.repository.commit({"other.yaml": "new"})
        engine.declare(world.load().declared)
        await engine.reconcile(engine.find("repo")[0], "new commit")
        await engine.once()
        assert packs(git) == asked, "what was asked just now is not asked again"

        elsewhere.commit({"unread.yaml": "new"})
        await engine.reconcile(app_ref("app"), "once more")
        assert packs(git) > asked
        assert engine.board.renders[app_ref("app")].outline is before, "what it reads is the same"

        elsewhere.commit({"base/a.yaml": config_map("a", key="two")})
        web.files["/b.yaml"] = config_map("b", key="two").encode()
        outcome = await engine.reconcile(app_ref("app"), "and again")
        assert outcome.phase is Phase.READY
        assert [await key(world, name) for name in "ab"] == ["two", "two"]


async def test_what_was_fetched_goes_on_serving_while_the_other_side_is_away(
    world: World, git: HttpServer, web: WebFiles
) -> None:
    declared(world, f"{git.url}//base?ref=main", f"{web.url}/b.yaml")
    assert (await world.app()).phase is Phase.READY
    git.behaviour.status = web.status = 503
    async with world.engine() as engine:
        outcome = await engine.reconcile(app_ref("app"), "now")
        assert (outcome.phase, outcome.changed) == (Phase.READY, {})


async def test_what_vanished_elsewhere_prunes_nothing(world: World, git: HttpServer, web: WebFiles) -> None:
    declared(world, f"{git.url}//base?ref=main", f"{web.url}/b.yaml")
    async with world.engine() as engine:
        await world.until("app")
        del web.files["/b.yaml"]
        outcome = await engine.reconcile(app_ref("app"), "now")
        assert outcome.phase is Phase.RETRYING
        assert f"{web.url}/b.yaml: the server answers that nothing is there" in outcome.message
        assert await key(world, "b") == "one"


async def test_a_restart_fetches_nothing_again_and_what_is_read_no_more_is_let_go(
    world: World, elsewhere: GitRepository, git: HttpServer
) -> None:
    commit = elsewhere.commit({"base/a.yaml": config_map("a", key="two")})
    declared(world, f"{git.url}//base?ref={commit}")
    assert (await world.app()).phase is Phase.READY
    asked = packs(git)
    async with world.engine() as engine:
        await engine.once()
        assert packs(git) == asked, "a commit is never asked for again"
        engine.forget_unread()
        assert len(engine.world.store.sources("Remote")) == 1

        world.repository.commit({"app/kustomization.yaml": "resources: [c.yaml]\n", "app/c.yaml": config_map("a")})
        await engine.reconcile(engine.find("repo")[0], "new commit")
        await engine.once()
        engine.forget_unread()
        assert engine.world.store.sources("Remote") == ()


async def test_a_plan_reads_elsewhere_too_and_leaves_no_trace(
    world: World, elsewhere: GitRepository, git: HttpServer
) -> None:
    declared(world, f"{git.url}//base?ref=main")
    assert (await world.app()).phase is Phase.READY
    elsewhere.commit({"base/a.yaml": config_map("a", key="two")})
    planned = await world.plan()
    assert [(change.name, change.action) for app in planned.apps for change in app.changes] == [("a", "update")]
    async with world.engine() as engine:
        (ref,) = engine.world.store.sources("Remote")
        await engine.once()
        assert await key(world, "a") == "two"
        assert ref.name == f"{git.url} at main"

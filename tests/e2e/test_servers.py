"""Servers in trouble, whole-way: a real one that restarts, and two instances on one cluster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from fakes.control_plane import ControlPlane
from fakes.git_repository import GitRepository
from fakes.real_cluster import RealCluster
from fakes.world import MERGE, SOURCE, Heard, World, app_ref, gone, kustomization, maps

from gitopsd.model.outcome import Phase
from gitopsd.plugin.conformance.scene import eventually
from gitopsd.runtime.engine import Engine
from gitopsd.runtime.live.watches import Watches

pytestmark = pytest.mark.asyncio


async def is_put_back(world: World, name: str) -> None:
    """An edit behind our back does not last."""
    path = f"/api/v1/namespaces/default/configmaps/{name}"
    await world.send("PATCH", f"{path}?fieldManager=somebody", {"data": {"key": "edited"}}, MERGE)

    async def is_as_in_git() -> bool:
        return ((await world.get(path)) or {})["data"] == {"key": "value"}

    await eventually(is_as_in_git)


async def is_watching(engine: Engine) -> None:
    async def holds() -> bool:
        mirror = engine.world.mirror
        assert isinstance(mirror, Watches)
        return mirror.holds("test", [("", "ConfigMap")])

    await eventually(holds)


@pytest.mark.timeout(180)
async def test_a_real_server_that_restarts_is_found_again_and_nothing_is_lost(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    cluster = RealCluster(control_plane)
    async with cluster.session() as http:
        repository = GitRepository(tmp_path / "repo.git")
        instance = uuid4().hex[:8]
        world = World(folder=tmp_path, running=cluster, http=http, repository=repository, instance=instance)
        repository.commit(maps("app", "r1", "r2", "r3"))
        world.declare(kustomization("app", "retryInterval: 1s"))
        async with world.engine(watch=True) as engine:
            await world.until("app")
            await is_watching(engine)
            control_plane.stop_api_server()
            try:
                oid = repository.commit({**gone("app", "r3"), **maps("app", "r4")})
                await engine.reconcile(SOURCE, "now")
                failed = await world.until("app", Phase.RETRYING, at=oid)
                assert "cannot be reached" in failed.message
            finally:
                control_plane.start_api_server()
            await world.until("app", at=oid)
            assert await world.exists("r1", "r2", "r4")
            await is_watching(engine)
            await is_put_back(world, "r1")
        assert world.deleted == ["/api/v1/namespaces/default/configmaps/r3"]
        await world.send(
            "DELETE", f"/api/v1/namespaces/default/configmaps?labelSelector=gitopsd.io/instance={instance}"
        )


async def test_two_instances_at_once_leave_each_others_objects_alone(either: World, tmp_path: Path) -> None:
    either.repository.commit(maps("app", "a", "b"))
    either.declare(kustomization("app"))
    (tmp_path / "two").mkdir()
    other = replace(either, folder=tmp_path / "two", instance=f"{either.instance}2", heard=Heard())
    async with either.engine(watch=True) as engine:
        await either.until("app")
        either.repository.commit(maps("app", "c"))  # which the first has not seen
        other.declare(kustomization("app"))
        outcome = await other.app()
        assert outcome.phase is Phase.STALLED
        assert f"gitopsd instance {either.instance}" in outcome.message
        await is_watching(engine)
        await is_put_back(either, "a")
    assert await either.exists("a", "b", "c")
    assert either.deleted == []
    await either.send("DELETE", "/api/v1/namespaces/default/configmaps/c")


async def test_a_second_process_of_the_same_instance_is_turned_away(either: World, tmp_path: Path) -> None:
    either.repository.commit(maps("app", "a"))
    either.declare(kustomization("app"))
    (tmp_path / "two").mkdir()
    other = replace(either, folder=tmp_path / "two", heard=Heard())
    async with either.engine(watch=True):
        await either.until("app")
        other.declare(kustomization("app"))
        outcome = (await other.once())[app_ref("app")]
    assert outcome.phase is Phase.RETRYING
    assert "is run by" in outcome.message

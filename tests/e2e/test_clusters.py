"""Several declared clusters in one process: each app goes to its own, and none has to do with another's troubles."""

from __future__ import annotations

import pytest
from fakes.proxy import proxy
from fakes.world import MERGE, SOURCE, World, app_ref, kustomization, maps

from gitopsd.model.outcome import Phase
from gitopsd.plugin.conformance.scene import eventually

pytestmark = pytest.mark.asyncio

PLACE = "/api/v1/namespaces/default/configmaps"


def at(name: str, cluster: str) -> str:
    return kustomization(name, "retryInterval: 1s", annotations=f"{{gitopsd.io/cluster: {cluster}}}")


async def is_put_back(world: World, name: str) -> None:
    """An edit behind our back does not last."""
    await world.send("PATCH", f"{PLACE}/{name}?fieldManager=somebody", {"data": {"key": "edited"}}, MERGE)

    async def is_as_in_git() -> bool:
        return ((await world.get(f"{PLACE}/{name}")) or {})["data"] == {"key": "value"}

    await eventually(is_as_in_git)


async def test_each_app_goes_to_its_cluster_and_one_that_is_away_keeps_no_other_waiting(
    world: World, remote: World
) -> None:
    world.repository.commit({**maps("here", "h"), **maps("there", "t")})
    async with proxy(remote.running.url, remote.tls) as way:
        remote.through = way.url
        world.declare(at("here", "test"), at("there", "other"), remote.declared_as("other"))
        async with world.engine(watch=True) as engine:
            await world.until("here")
            await world.until("there")
            assert (await world.exists("h"), await world.exists("t")) == (True, False)
            assert (await remote.exists("h"), await remote.exists("t")) == (False, True)
            await is_put_back(remote, "t")

            await way.stop()
            oid = world.repository.commit({**maps("here", "h2"), **maps("there", "t2")})
            await engine.reconcile(SOURCE, "now")
            await world.until("here", at=oid)
            await is_put_back(world, "h")
            failed = await world.until("there", Phase.RETRYING, at=oid)
            assert f"{way.url} cannot be reached" in failed.message
            assert engine.view(app_ref("here")).ready

            await way.start()
            await world.until("there", at=oid)
            assert await remote.exists("t", "t2")
            await is_put_back(remote, "t2")
        assert world.deleted == remote.deleted == []

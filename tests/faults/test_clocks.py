"""A server whose clock differs by hours: nothing of what gitopsd decides goes by the time that a server states."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes.proxy import Proxy
from fakes.world import MERGE, SOURCE, World, gone, kustomization, maps

from gitopsd.model.outcome import Phase
from gitopsd.plugin.conformance.scene import eventually
from gitopsd.runtime.live.watches import Watches

pytestmark = pytest.mark.asyncio

MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.mark.parametrize("hours", [-5, 5])
async def test_clocks_that_differ_by_hours_change_nothing(world: World, faulty: Proxy, hours: int) -> None:
    faulty.skew = timedelta(hours=hours)
    world.repository.commit(maps("app", "k1", "k2", "k3"))
    world.declare(kustomization("app", "wait: true"))
    async with world.engine(watch=True) as engine:
        await world.until("app")

        async def is_watching() -> bool:
            mirror = engine.world.mirror
            return isinstance(mirror, Watches) and mirror.holds("test", [("", "ConfigMap")])

        async def is_put_back() -> bool:
            return ((await world.get(f"{MAPS}/k1")) or {})["data"] == {"key": "value"}

        await eventually(is_watching)
        await world.send("PATCH", f"{MAPS}/k1?fieldManager=somebody", {"data": {"key": "edited"}}, MERGE)
        await eventually(is_put_back)
        oid = world.repository.commit(gone("app", "k3"))
        await engine.reconcile(SOURCE, "now")
        await world.until("app", at=oid)
    assert world.deleted == [f"{MAPS}/k3"]
    before = faulty.writes("PATCH")
    assert (await world.app()).phase is Phase.READY  # a new process, which takes the lease of the one before
    assert faulty.writes("PATCH") == before

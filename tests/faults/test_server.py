"""Credentials that expire, and leases that are lost."""

from __future__ import annotations

import pytest
from fakes import account, proxy
from fakes.proxy import Proxy
from fakes.world import SOURCE, World, app_ref, kustomization, maps

from gitopsd.model.outcome import Phase
from gitopsd.plugin import yaml
from gitopsd.plugin.conformance.scene import eventually

pytestmark = pytest.mark.asyncio

EXPIRED = proxy.status(401, reason="Unauthorized", message="Unauthorized")


async def test_an_expired_token_is_read_again_from_its_file_and_nothing_is_lost(world: World, faulty: Proxy) -> None:
    world.repository.commit(maps("app", "a"))
    world.declare(kustomization("app", "retryInterval: 1s"))
    token, kubeconfig = world.folder / "token", world.folder / "kubeconfig"
    old, renewed = [await account.token(world) for _ in range(2)]
    token.write_text(old)
    text = yaml.read(kubeconfig.read_bytes())
    text["users"][0]["user"] = {"tokenFile": str(token)}
    kubeconfig.write_text(yaml.write(text))
    async with world.engine(watch=True) as engine:
        await world.until("app")
        expired = faulty.add(EXPIRED, header=("Authorization", old))
        oid = world.repository.commit(maps("app", "b"))
        await engine.reconcile(SOURCE, "now")
        failed = await world.until("app", Phase.RETRYING, at=oid)
        assert "does not accept the credentials" in failed.message
        assert expired.met
        token.write_text(renewed)
        await world.until("app", at=oid)
    assert await world.exists("a", "b")


@pytest.mark.timeout(120)
async def test_a_lease_that_is_lost_in_the_middle_of_the_work_ends_it_before_the_next_write(
    world: World, faulty: Proxy
) -> None:
    world.repository.commit({**maps("app", "a"), **maps("waits", "w")})
    check = "healthChecks: [{apiVersion: v1, kind: ConfigMap, name: never, namespace: default}]"
    apps = [
        kustomization(name, "timeout: 1h", "retryInterval: 1s", *more) for name, *more in [("app",), ("waits", check)]
    ]
    world.declare(*apps)
    async with world.engine(watch=True) as engine:
        await world.until("app")
        await world.until("waits", Phase.PROGRESSING)
        gate = faulty.add(proxy.slow(5.5), method="PATCH", path="/configmaps/b", times=1)  # longer than to a renewal
        oid = world.repository.commit(maps("app", "b"))
        await engine.reconcile(SOURCE, "now")

        async def is_rehearsing() -> bool:
            return gate.met > 0

        await eventually(is_rehearsing)
        await world.until("waits", Phase.PROGRESSING, at=oid)
        await stolen(world)
        seen = len(world.heard.outcomes)
        for name in ("app", "waits"):
            lost = await world.until(name, Phase.RETRYING, since=seen)
            assert "the connection was given up in the middle of the work" in lost.message
        again = await engine.reconcile(app_ref("app"), "again")
        assert "is run by 'thief'" in again.message
    assert not await world.exists("b")


async def stolen(world: World) -> None:
    path = f"/apis/coordination.k8s.io/v1/namespaces/gitopsd-system/leases/actor.{world.instance}"
    lease = await world.get(path)
    assert lease is not None
    lease["spec"] = {**lease["spec"], "holderIdentity": "thief", "leaseDurationSeconds": 3600}
    await world.send("PUT", path, lease)

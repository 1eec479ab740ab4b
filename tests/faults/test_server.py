"""Credentials that expire, leases that are lost, and two instances at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from fakes import proxy
from fakes.proxy import Proxy
from fakes.world import SOURCE, Heard, World, app_ref, kustomization, maps

from gitopsd.model.outcome import Phase
from gitopsd.plugin.conformance.scene import eventually

pytestmark = pytest.mark.asyncio

LEASE = "/apis/coordination.k8s.io/v1/namespaces/gitopsd-system/leases/actor.default"
EXPIRED = proxy.status(401, reason="Unauthorized", message="Unauthorized")


async def test_an_expired_token_is_read_again_from_its_file_and_nothing_is_lost(world: World, faulty: Proxy) -> None:
    world.repository.commit(maps("app", "a"))
    world.declare(kustomization("app", "retryInterval: 1s"))
    token = world.folder / "token"
    token.write_text(world.running.token)
    kubeconfig = world.folder / "kubeconfig"
    text = msgspec.json.decode(kubeconfig.read_bytes())
    text["users"][0]["user"] = {"tokenFile": str(token)}
    kubeconfig.write_bytes(msgspec.json.encode(text))
    async with world.engine(watch=True) as engine:
        await world.until("app")
        old = world.running.token
        expired = faulty.add(EXPIRED, header=("Authorization", old))
        world.running.token = "the-next-one"
        oid = world.repository.commit(maps("app", "b"))
        await engine.reconcile(SOURCE, "now")
        failed = await world.until("app", Phase.RETRYING, at=oid)
        assert "does not accept the credentials" in failed.message
        assert expired.met
        token.write_text("the-next-one")
        await world.until("app", at=oid)
    world.http.headers["Authorization"] = "Bearer the-next-one"  # type: ignore[index]
    assert await world.exists("a", "b")


@asynccontextmanager
async def second(world: World, folder: Path, settings: str = "") -> AsyncIterator[World]:
    """Another gitopsd on the same cluster, with a state folder of its own."""
    folder.mkdir()
    yield replace(world, folder=folder, settings=settings, heard=Heard())


async def test_two_instances_leave_each_others_objects_alone_and_say_whose_they_are(
    world: World, tmp_path: Path
) -> None:
    world.repository.commit(maps("app", "a", "b"))
    world.declare(kustomization("app"))
    async with world.engine(watch=True), second(world, tmp_path / "two", "  instance: two\n") as other:
        await world.until("app")
        world.repository.commit(maps("app", "c"))  # which the first has not seen
        other.declare(kustomization("app"))
        outcome = await other.app()
        assert outcome.phase is Phase.STALLED
        assert "gitopsd instance default" in outcome.message
        labels = (await world.get("/api/v1/namespaces/default/configmaps/a") or {})["metadata"]["labels"]
        assert labels["gitopsd.io/instance"] == "default"
    assert await world.exists("a", "b")


async def test_a_second_process_of_the_same_instance_is_turned_away(world: World, tmp_path: Path) -> None:
    world.repository.commit(maps("app", "a"))
    world.declare(kustomization("app"))
    async with world.engine(watch=True), second(world, tmp_path / "two") as other:
        await world.until("app")
        other.declare(kustomization("app"))
        outcome = await other.app()
    assert outcome.phase is Phase.RETRYING
    assert "is run by" in outcome.message


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
    lease = await world.get(LEASE)
    assert lease is not None
    lease["spec"] = {**lease["spec"], "holderIdentity": "thief", "leaseDurationSeconds": 3600}
    await world.send("PUT", LEASE, lease)

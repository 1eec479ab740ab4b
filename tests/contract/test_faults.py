"""A faulty proxy in front of either server: what is written is written once, and watches miss nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import anyio
import pytest
import pytest_asyncio
from fakes import proxy
from fakes.proxy import Effect, Proxy

from gitopsd.plugin import Access, Action, Change, Context, Tls
from gitopsd.plugin.conformance.scene import SOON, applied, config_map, eventually, look, next_of, place
from gitopsd_plugins.kubernetes.sink import KubernetesSink
from gitopsd_plugins.kubernetes.target import KubernetesTarget

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

BUSY: dict[str, Effect] = {
    "429": proxy.status(429, retry_after=1),
    "503": proxy.status(503),
    "reset": proxy.reset,
    "written and reset": proxy.reset_after,
    "written and half told": proxy.half,
}


@pytest_asyncio.fixture
async def faulty(access: Access, ctx: Context) -> AsyncIterator[Proxy]:
    async with proxy.proxy(access.server, ctx.http.trust(access.tls)) as it:
        yield it


@pytest_asyncio.fixture
async def scene(access: Access, faulty: Proxy, ctx: Context) -> AsyncIterator[tuple[KubernetesTarget, str]]:
    """A target behind the proxy, and a namespace of its own."""
    there = replace(access, server=faulty.url, tls=Tls())
    async with place(lambda who: KubernetesSink().connect(there, who, ctx)) as (target, namespace):
        assert isinstance(target, KubernetesTarget)
        yield target, namespace


async def test_a_write_is_repeated_until_it_is_heard_of_and_changes_nothing_twice(
    scene: tuple[KubernetesTarget, str], faulty: Proxy
) -> None:
    target, namespace = scene
    for number, effect in enumerate(BUSY.values()):
        rule = faulty.add(effect, method="PATCH", path="/configmaps/", times=2 if number > 1 else 1)
        manifest = config_map(f"c{number}", namespace, {"key": "value"})
        live = await applied(target, manifest)
        assert rule.met
        again = await applied(target, manifest, action=Action.UPDATE)
        assert again.resource_version == live.resource_version
        faulty.rules.clear()


async def test_a_deletion_whose_answer_is_lost_is_a_deletion(
    scene: tuple[KubernetesTarget, str], faulty: Proxy
) -> None:
    target, namespace = scene
    live = await applied(target, config_map("a", namespace, {}))
    faulty.add(proxy.reset_after, method="DELETE", times=1)
    assert (await target.delete(Change(id=live.id, action=Action.DELETE, live=live))).error is None
    assert await look(target, config_map("a", namespace, {})) is None


async def test_what_vanished_while_the_server_was_away_is_told_when_it_is_back(
    access: Access, scene: tuple[KubernetesTarget, str], faulty: Proxy, ctx: Context
) -> None:
    target, namespace = scene
    manifest = config_map("a", namespace, {})
    live = await applied(target, manifest)
    async with (
        KubernetesSink().connect(access, target.actor, ctx) as beside,
        target.watch([("", "v1", "ConfigMap")]) as stream,
    ):
        await next_of(stream, live.id)
        await faulty.stop()
        assert (await beside.delete(Change(id=live.id, action=Action.DELETE, live=live))).error is None
        with anyio.fail_after(SOON):
            while not (await stream.receive()).broken:
                pass
        await faulty.start()
        assert (await next_of(stream, live.id)).live is None


async def test_a_watch_that_is_told_410_begins_anew(scene: tuple[KubernetesTarget, str], faulty: Proxy) -> None:
    target, namespace = scene
    rule = faulty.add(proxy.expired, watch=True, times=2)
    async with target.watch([("", "v1", "ConfigMap")]) as stream:

        async def was_told() -> bool:
            return rule.met == 2

        await eventually(was_told)
        live = await applied(target, config_map("a", namespace, {}))
        assert (await next_of(stream, live.id)).live is not None

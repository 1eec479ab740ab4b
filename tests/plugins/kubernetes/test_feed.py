"""Watches that break, are denied, or miss something."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import anyio
import pytest
import pytest_asyncio

from gitopsd.plugin import Access, Action, Change, Context, Seen
from gitopsd.plugin.conformance.scene import SOON, actor, applied, config_map, eventually, inventory_of, next_of
from gitopsd_plugins.kubernetes import owner, tasks
from gitopsd_plugins.kubernetes.sink import KubernetesSink
from gitopsd_plugins.kubernetes.target import KubernetesTarget
from gitopsd_plugins.kubernetes.watch import Watch
from gitopsd_plugins.sandbox import server
from gitopsd_plugins.sandbox.access.access import Deny
from gitopsd_plugins.sandbox.cluster import Settings
from gitopsd_plugins.sandbox.faults import Fault
from gitopsd_plugins.sandbox.server import Running

pytestmark = pytest.mark.asyncio

MAPS = [("", "v1", "ConfigMap")]
ALL_MAPS = "/api/v1/configmaps"


@pytest_asyncio.fixture
async def target(access: Access, ctx: Context) -> AsyncIterator[KubernetesTarget]:
    async with KubernetesSink().connect(access, actor(), ctx) as opened:
        yield opened


def _watches(cluster: Running, path: str) -> int:
    return sum("watch" in request.query for request in cluster.journal.requests("GET", path))


async def _until_relisted(stream: Any) -> None:
    with anyio.fail_after(SOON):
        seen: Seen = await stream.receive()
        while not seen.relist:
            seen = await stream.receive()


async def test_a_watch_that_is_cut_goes_on_where_it_was(cluster: Running, target: KubernetesTarget) -> None:
    async with target.watch(MAPS) as stream:
        await applied(target, config_map("a", "default", {}))
        await next_of(stream, config_map("a", "default", {}).id)
        cluster.cut_watches()
        await applied(target, config_map("b", "default", {}))
        with anyio.fail_after(SOON):
            seen = await stream.receive()
        assert seen.id == config_map("b", "default", {}).id  # neither a relist nor the first object again


async def test_what_vanished_while_the_watch_was_away_is_told(cluster: Running, target: KubernetesTarget) -> None:
    manifest = config_map("a", "default", {})
    live = await applied(target, manifest)
    async with target.watch(MAPS) as stream:
        await next_of(stream, manifest.id)
        cluster.faults.add(Fault(path=ALL_MAPS, status=500, times=2))
        cluster.cut_watches()
        assert (await target.delete(Change(id=live.id, action=Action.DELETE, live=live))).error is None
        await _until_relisted(stream)
        assert (await next_of(stream, manifest.id)).live is None


async def test_events_that_the_server_forgot_are_made_up_for_by_a_list(access: Access, ctx: Context) -> None:
    async with server.serve(settings=Settings(settling=0.01, history=20)) as cluster:

        async def headers() -> dict[str, str]:
            return {"Authorization": f"Bearer {cluster.token}"}

        there = replace(access, server=cluster.url, headers=headers)
        async with KubernetesSink().connect(there, actor(), ctx) as target:
            live = await applied(target, config_map("a", "default", {}))
            async with target.watch(MAPS) as stream:
                await next_of(stream, live.id)
                cluster.faults.add(Fault(effect="drop", path=ALL_MAPS, times=-1))
                cluster.cut_watches()
                assert (await target.delete(Change(id=live.id, action=Action.DELETE, live=live))).error is None
                for number in range(50):
                    await applied(target, config_map("b", "default", {"x": str(number)}))
                cluster.faults.clear()
                await _until_relisted(stream)
                assert (await next_of(stream, live.id)).live is None


async def test_a_silent_watch_is_dead_and_the_next_one_goes_on_where_it_was(
    cluster: Running, target: KubernetesTarget, ctx: Context
) -> None:
    send, receive = anyio.create_memory_object_stream[Seen](100)
    resource = await target.discovery.find("", "ConfigMap")
    assert resource is not None
    watch = Watch(
        client=target.client,
        actor=replace(target.actor, silence=0.1),
        ctx=ctx,
        resource=resource,
        selector={"labelSelector": owner.selector(target.actor.instance)},
        out=send,
    )

    async def has_come_again() -> bool:
        return _watches(cluster, ALL_MAPS) >= 3

    async with send, receive, tasks.beside(watch.run):
        await eventually(has_come_again)
        lists = len(cluster.journal.requests("GET", ALL_MAPS)) - _watches(cluster, ALL_MAPS)
        assert lists == 1
        live = await applied(target, config_map("a", "default", {}))
        assert (await next_of(receive, live.id)).live is not None


async def test_a_server_that_fails_is_not_hammered(cluster: Running, target: KubernetesTarget) -> None:
    cluster.faults.add(Fault(path=ALL_MAPS, status=500, times=-1))
    async with target.watch(MAPS):

        async def has_asked() -> bool:
            return len(cluster.journal.requests("GET", ALL_MAPS)) >= 2

        await eventually(has_asked)
        assert len(cluster.journal.requests("GET", ALL_MAPS)) <= 3


async def test_a_denied_cluster_wide_watch_asks_namespace_by_namespace(
    cluster: Running, target: KubernetesTarget
) -> None:
    cluster.cluster.access.denied.append(Deny(verb="list", resource="configmaps", namespace=""))
    first = config_map("a", "default", {})
    await applied(target, first)
    async with target.watch(MAPS) as stream:
        assert (await next_of(stream, first.id)).live is not None
        second = config_map("b", "kube-public", {})
        await applied(target, second)
        assert (await next_of(stream, second.id)).live is not None
        assert len(cluster.journal.requests("GET", ALL_MAPS)) == 1
        assert _watches(cluster, "/api/v1/namespaces/default/configmaps") == 1


async def test_namespaces_of_remembered_objects_are_watched_too(cluster: Running, target: KubernetesTarget) -> None:
    cluster.cluster.access.denied.append(Deny(verb="list", resource="configmaps", namespace=""))
    await target.remember(inventory_of(target.uid, 1))
    async with target.watch(MAPS):

        async def is_watched() -> bool:
            return _watches(cluster, "/api/v1/namespaces/web/configmaps") == 1

        await eventually(is_watched)


async def test_a_denied_list_still_observes_by_namespace(cluster: Running, target: KubernetesTarget) -> None:
    cluster.cluster.access.denied.append(Deny(verb="list", resource="configmaps", namespace=""))
    manifests = [config_map(f"c{number}", "default", {}) for number in range(20)]
    for manifest in manifests:
        await applied(target, manifest)
    cluster.journal.clear()
    assert len(await target.observe([(m.id, "v1") for m in manifests])) == 20
    assert len(cluster.journal.requests("GET", "/api/v1/namespaces/default/configmaps")) == 1


async def test_many_objects_cost_one_list(cluster: Running, target: KubernetesTarget) -> None:
    manifests = [config_map(f"c{number}", "default", {}) for number in range(50)]
    for manifest in manifests:
        await applied(target, manifest)
    cluster.journal.clear()
    assert len(await target.observe([(m.id, "v1") for m in manifests])) == 50
    assert len(cluster.journal.requests()) == 1


async def test_a_first_contact_with_many_objects_costs_lists_and_no_reads(
    cluster: Running, target: KubernetesTarget
) -> None:
    manifests = [config_map(f"c{number}", "default", {}) for number in range(50)]
    await target.discovery.refresh()
    cluster.journal.clear()
    assert await target.observe([(m.id, "v1") for m in manifests]) == {}
    assert [request.path for request in cluster.journal.requests()] == [
        ALL_MAPS,
        "/api/v1/namespaces/default/configmaps",
    ]


async def test_an_error_of_the_reader_comes_out_as_it_is(target: KubernetesTarget) -> None:
    with pytest.raises(ValueError, match=r"^mine$"):
        async with target.watch(MAPS):
            raise ValueError("mine")

"""The Kubernetes sink keeps the promises of its role, on the sandbox and on a real control plane."""

from __future__ import annotations

import pytest

from gitopsd.plugin import Access, Context, Manifest, Treatment
from gitopsd.plugin.conformance.scene import APP, Connect, actor, applied, place
from gitopsd.plugin.conformance.sink import SinkSuite
from gitopsd_plugins.kubernetes.sink import KubernetesSink


@pytest.mark.contract
class TestKubernetesSink(SinkSuite):
    @pytest.fixture
    def connect(self, access: Access, ctx: Context) -> Connect:
        return lambda actor: KubernetesSink().connect(access, actor, ctx)

    @pytest.mark.asyncio
    async def test_a_whole_number_with_a_point_is_a_number_of_replicas(self, connect: Connect) -> None:
        pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        spec = {"replicas": 0.0, "selector": {"matchLabels": {"a": "b"}}, "template": pod}
        async with place(connect, actor()) as (target, namespace):
            metadata = {"name": "a", "namespace": namespace}
            body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
            rehearsal = await target.rehearse(Manifest.of(body), APP, None, Treatment())
            assert rehearsal.error is None
            live = await applied(target, Manifest.of(body))
            assert repr(live.body["spec"]["replicas"]) == "0"

"""The Kubernetes sink keeps the promises of its role, on the sandbox and on a real control plane."""

from __future__ import annotations

import pytest

from gitopsd.plugin import Access, Context, Lister, Manifest, Need, Preflight, Treatment
from gitopsd.plugin.conformance.scene import APP, Connect, actor, applied, config_map, place
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

    @pytest.mark.asyncio
    async def test_all_objects_of_a_kind_are_listed_whosever_they_are(self, connect: Connect) -> None:
        async with place(connect, actor()) as (target, namespace):
            assert isinstance(target, Lister)
            await applied(target, config_map("a", namespace, {"key": "value"}))
            async with connect(actor()) as stranger:
                assert isinstance(stranger, Lister)
                listed = [
                    body
                    for body in await stranger.listed("", "", "ConfigMap")
                    if (body["metadata"]["namespace"], body["metadata"]["name"]) == (namespace, "a")
                ]
            assert [(body["apiVersion"], body["kind"], body["data"]) for body in listed] == [
                ("v1", "ConfigMap", {"key": "value"})
            ]
            assert "managedFields" not in listed[0]["metadata"]
            assert list(await target.listed("example.org", "", "Nothing")) == []

    @pytest.mark.asyncio
    async def test_an_identity_that_may_do_everything_is_denied_nothing(self, connect: Connect) -> None:
        needs = [
            Need(group="", version="v1", kind="ConfigMap", namespace="default", verbs=("get", "create")),
            Need(group="", version="v1", kind="Namespace", namespace="", verbs=("create",)),
            Need(group="example.org", version="v1", kind="Nothing", namespace="", verbs=("create",)),
        ]
        async with connect(actor()) as target:
            assert isinstance(target, Preflight)
            assert list(await target.denied(needs)) == []

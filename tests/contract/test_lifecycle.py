"""Definitions, takeovers and deletions through the sink, against what the server really does."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
import pytest_asyncio
from fakes import recorded

from gitopsd.plugin import (
    Access,
    Action,
    Actor,
    Change,
    Context,
    Engine,
    Explanation,
    Manifest,
    Ours,
    Treatment,
    Unmanaged,
)
from gitopsd.plugin.conformance.scene import (
    APP,
    SOON,
    actor,
    applied,
    config_map,
    eventually,
    look,
    namespace_manifest,
    next_of,
    place,
)
from gitopsd_plugins.kubernetes import client as clients
from gitopsd_plugins.kubernetes.client import Client
from gitopsd_plugins.kubernetes.sink import KubernetesSink
from gitopsd_plugins.kubernetes.target import KubernetesTarget

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@pytest_asyncio.fixture
async def client(access: Access, ctx: Context) -> AsyncIterator[Client]:
    """Another user of the cluster."""
    async with Client(access, actor(), ctx) as opened:
        yield opened


@pytest_asyncio.fixture
async def target(access: Access, ctx: Context) -> AsyncIterator[KubernetesTarget]:
    """The sink's target."""
    async with KubernetesSink().connect(access, actor(), ctx) as opened:
        yield opened


@pytest_asyncio.fixture
async def namespace(access: Access, ctx: Context) -> AsyncIterator[str]:
    """A fresh namespace."""
    async with place(lambda who: KubernetesSink().connect(access, who, ctx)) as (_, name):
        yield name


def definition(group: str, scope: str = "Namespaced") -> Manifest:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
    spec = {
        "group": group,
        "scope": scope,
        "names": {"kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
    }
    return Manifest.of(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"things.{group}"},
            "spec": spec,
        }
    )


def thing(group: str, namespace: str, size: Any = 1) -> Manifest:
    body = {"metadata": {"name": "a", "namespace": namespace}, "spec": {"size": size}}
    return Manifest.of({"apiVersion": f"{group}/v1", "kind": "Thing", **body})


def group_name() -> str:
    return f"g{uuid.uuid4().hex[:10]}.example.com"


async def by_kubectl(
    client: Client, namespace: str, data: dict[str, str], manager: str = "kubectl-client-side-apply"
) -> None:
    body = config_map("a", namespace, data, annotations={LAST_APPLIED: "{}"}).body
    reply = await client.send(
        "POST", f"/api/v1/namespaces/{namespace}/configmaps", params={"fieldManager": manager}, body=body
    )
    clients.checked(reply, "creating by hand")


async def test_a_new_kind_can_be_used_as_soon_as_its_stage_has_settled(
    target: KubernetesTarget, namespace: str
) -> None:
    group = group_name()
    manifests = [thing(group, namespace), definition(group)]
    assert (await target.rehearse(manifests[0], APP, None, Treatment())).waits
    qualified = await target.qualify(manifests)
    assert qualified.unknown == {manifests[0].id}
    first, second = target.stages(qualified.manifests)
    for manifest in first.manifests:
        await applied(target, manifest)
    assert await target.settle(first, SOON) == []
    for manifest in second.manifests:
        live = await applied(target, manifest)
        assert live.owner == Ours(app=APP)


async def test_an_unknown_kind_takes_its_scope_from_the_definition_beside_it(target: KubernetesTarget) -> None:
    group = group_name()
    bare = Manifest.of({"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "a"}})
    assert (await target.qualify([bare, definition(group)])).manifests[0].id.namespace == "default"
    wide = thing(group, "web")
    assert (await target.qualify([wide, definition(group, "Cluster")])).manifests[0].id.namespace == ""


async def test_the_collateral_of_a_definition_is_its_objects(target: KubernetesTarget, namespace: str) -> None:
    group = group_name()
    crd = definition(group)
    await applied(target, crd)
    [stage] = target.stages([crd])
    assert await target.settle(stage, SOON) == []
    await applied(target, thing(group, namespace))
    live = await look(target, crd)
    assert live is not None
    assert [item.id for item in await target.collateral(live)] == [thing(group, namespace).id]


async def test_an_invalid_custom_resource_is_refused_by_name(target: KubernetesTarget, namespace: str) -> None:
    group = group_name()
    crd = definition(group)
    await applied(target, crd)
    [stage] = target.stages([crd])
    assert await target.settle(stage, SOON) == []
    rehearsal = await target.rehearse(thing(group, namespace, size="many"), APP, None, Treatment())
    assert f"Thing/{namespace}/a dry-run failed" in str(rehearsal.error)
    assert not rehearsal.waits


async def test_settling_gives_up_in_time_and_names_what_is_not_ready(target: KubernetesTarget) -> None:
    missing = namespace_manifest("never-created")
    [stage] = target.stages([missing])
    assert list(await target.settle(stage, 0.2)) == [missing.id]


async def test_what_kubectl_made_is_unmanaged_and_contested(
    client: Client, target: KubernetesTarget, namespace: str
) -> None:
    await by_kubectl(client, namespace, {"x": "1"})
    live = await look(target, config_map("a", namespace, {}))
    assert live is not None
    assert live.owner == Unmanaged(managers=("kubectl-client-side-apply",))
    assert live.contested == ("kubectl-client-side-apply",)
    assert live.mark == ""


async def test_a_takeover_lets_go_what_kubectl_stated_and_git_does_not(
    client: Client, target: KubernetesTarget, namespace: str
) -> None:
    await by_kubectl(client, namespace, {"x": "1", "old": "1"})
    manifest = config_map("a", namespace, {"x": "2"})
    live = await look(target, manifest)
    taken = await applied(target, manifest, action=Action.ADOPT, live=live)
    assert taken.body["data"] == {"x": "2"}
    assert LAST_APPLIED not in taken.body["metadata"].get("annotations", {})
    assert taken.owner == Ours(app=APP)
    assert taken.contested == ()


WORKLOAD: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"app": "web", "old": "1"}, "annotations": {"note": "by hand"}},
    "spec": {
        "replicas": 3,
        "minReadySeconds": 5,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}, "annotations": {"a": "1"}},
            "spec": {
                "hostname": "robot",
                "nodeSelector": {"disk": "ssd"},
                "containers": [
                    {
                        "name": "web",
                        "image": "web:1",
                        "env": [{"name": "A", "value": "1"}, {"name": "OLD", "value": "2"}],
                        "ports": [{"containerPort": 80}, {"containerPort": 81, "name": "old"}],
                    },
                    {"name": "old", "image": "old:1"},
                ],
            },
        },
    },
}
WANTED: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {
                        "name": "web",
                        "image": "web:2",
                        "env": [{"name": "A", "value": "1"}],
                        "ports": [{"containerPort": 80}],
                    }
                ]
            },
        },
    },
}


@pytest.mark.parametrize("other", [None, "shared", "scaled"])
@pytest.mark.parametrize("way", ["kubectl-create", "kubectl"])
async def test_the_rehearsal_of_a_takeover_shows_the_object_that_it_makes(
    client: Client, target: KubernetesTarget, namespace: str, way: str, other: str | None
) -> None:
    """Also where others hold some of what kubectl holds: that stays."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    if way == "kubectl":
        params = {"fieldManager": "kubectl", "force": "true"}
        made = await client.send("PATCH", f"{path}/web", params=params, body=WORKLOAD, content_type=clients.APPLY)
    else:
        made = await client.send("POST", path, params={"fieldManager": way}, body=WORKLOAD)
    clients.checked(made, "creating by hand")
    if other == "shared":
        theirs = {"metadata": {"labels": {"old": "1"}}, "spec": {"minReadySeconds": 5}}
        body = {"apiVersion": "apps/v1", "kind": "Deployment", **theirs}
        params = {"fieldManager": "somebody", "force": "true"}
        clients.checked(
            await client.send("PATCH", f"{path}/web", params=params, body=body, content_type=clients.APPLY), "sharing"
        )
    if other == "scaled":
        scale = {"spec": {"replicas": 9}}
        params = {"fieldManager": "somebody"}
        merge = "application/merge-patch+json"
        clients.checked(
            await client.send("PATCH", f"{path}/web/scale", params=params, body=scale, content_type=merge), "scaling"
        )
    manifest = Manifest.of({**WANTED, "metadata": {**WANTED["metadata"], "namespace": namespace}})
    live = await look(target, manifest)

    rehearsal = await target.rehearse(manifest, APP, live, Treatment())
    taken = await applied(target, manifest, action=Action.ADOPT, live=live)

    assert rehearsal.body is not None
    assert _stated(rehearsal.body) == _stated(taken.body)
    assert taken.contested == ()


@pytest.mark.parametrize("tool", recorded.TOOLS)
async def test_the_rehearsal_of_a_takeover_from_a_real_tool_shows_the_object_that_it_makes(
    client: Client, target: KubernetesTarget, namespace: str, tool: str
) -> None:
    deployment = recorded.by(tool, namespace)[1]
    clients.checked(await client.send("POST", deployment.collection, body=deployment.body), "as it was")
    managed = await client.send("PATCH", deployment.path, body=deployment.patch, content_type=recorded.JSON_PATCH)
    clients.checked(managed, "its managers")
    manifest = Manifest.of({**WANTED, "metadata": {**WANTED["metadata"], "namespace": namespace}})
    live = await look(target, manifest)

    rehearsal = await target.rehearse(manifest, APP, live, Treatment())
    taken = await applied(target, manifest, action=Action.ADOPT, live=live)

    assert rehearsal.body is not None
    assert _stated(rehearsal.body) == _stated(taken.body)
    assert "gone" not in str(taken.body)
    assert taken.body["metadata"]["annotations"]["example.org/injected"] == "yes"


def _stated(body: Any) -> Any:
    """Without what only the server counts, and defaults that the server puts in the place of what went."""
    metadata = {k: body["metadata"][k] for k in ("labels", "annotations") if body["metadata"].get(k)}
    spec = {**body["spec"], "replicas": body["spec"].get("replicas", 1)}
    annotations = {k: v for k, v in metadata.get("annotations", {}).items() if not k.startswith("deployment.")}
    return {**metadata, "annotations": annotations}, spec


async def test_an_apply_alone_leaves_what_kubectl_stated(
    client: Client, target: KubernetesTarget, namespace: str
) -> None:
    await by_kubectl(client, namespace, {"x": "1", "old": "1"})
    live = await applied(target, config_map("a", namespace, {"x": "2"}))
    assert live.body["data"] == {"x": "2", "old": "1"}


async def test_another_engines_fields_are_contested_and_can_be_taken(
    client: Client, target: KubernetesTarget, namespace: str
) -> None:
    await by_kubectl(client, namespace, {"old": "1"}, manager="kustomize-controller")
    manifest = config_map("a", namespace, {"x": "2"})
    live = await look(target, manifest)
    assert live is not None
    assert live.owner == Engine(name="Flux")
    assert live.contested == ("kustomize-controller",)
    taken = await applied(target, manifest, action=Action.ADOPT, live=live)
    assert taken.body["data"] == {"x": "2"}


async def test_a_recreation_waits_for_finalizers(client: Client, target: KubernetesTarget, namespace: str) -> None:
    manifest = config_map("a", namespace, {"x": "1"}, finalizers=["example.com/hold"])
    live = await applied(target, manifest)
    where = f"/api/v1/namespaces/{namespace}/configmaps/a"
    done = anyio.Event()

    async def recreate() -> None:
        again = await applied(target, config_map("a", namespace, {"x": "2"}), action=Action.RECREATE, live=live)
        assert again.uid != live.uid
        done.set()

    async def is_terminating() -> bool:
        return "deletionTimestamp" in (await client.get(where)).body["metadata"]

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(recreate)
        await eventually(is_terminating)
        assert not done.is_set()
        patch = [{"op": "remove", "path": "/metadata/finalizers"}]
        clients.checked(await client.send("PATCH", where, body=patch, content_type=clients.JSON_PATCH), "releasing")
    assert done.is_set()


async def test_an_object_that_lost_our_labels_is_told_as_another_s(
    client: Client, target: KubernetesTarget, namespace: str
) -> None:
    manifest = config_map("a", namespace, {"x": "1"})
    live = await applied(target, manifest)
    async with target.watch([("", "v1", "ConfigMap")]) as stream:
        assert (await next_of(stream, manifest.id)).live is not None
        bare = {"metadata": {"name": "a", "namespace": namespace}, "data": {"x": "1"}}
        where = f"/api/v1/namespaces/{namespace}/configmaps/a"
        clients.checked(await client.send("PUT", where, body=bare), "editing by hand")
        seen = await next_of(stream, manifest.id)
        assert seen.live is not None
        assert seen.live.uid == live.uid
        assert seen.live.owner != live.owner


async def test_a_foreign_change_is_told_with_another_mark(
    client: Client, target: KubernetesTarget, namespace: str
) -> None:
    manifest = config_map("a", namespace, {"x": "1"})
    live = await applied(target, manifest)
    async with target.watch([("", "v1", "ConfigMap")]) as stream:
        await next_of(stream, manifest.id)
        patch = [{"op": "replace", "path": "/data/x", "value": "2"}]
        where = f"/api/v1/namespaces/{namespace}/configmaps/a"
        clients.checked(await client.send("PATCH", where, body=patch, content_type=clients.JSON_PATCH), "editing")
        seen = await next_of(stream, manifest.id)
        assert seen.live is not None
        assert seen.live.mark != live.mark


async def test_a_watch_of_a_kind_that_comes_later_waits_for_it(
    access: Access, ctx: Context, target: KubernetesTarget
) -> None:
    kinds = [("no.such", "v1", "Thing"), ("", "v1", "ConfigMap")]
    fresh = place(lambda who: KubernetesSink().connect(access, who, ctx), target.actor)
    async with target.watch(kinds) as stream, fresh as (again, namespace):
        manifest = config_map("a", namespace, {})
        await applied(again, manifest)
        assert (await next_of(stream, manifest.id)).live is not None


async def test_a_failed_deletion_of_a_vanished_kind_is_success(target: KubernetesTarget, namespace: str) -> None:
    group = group_name()
    crd = definition(group)
    await applied(target, crd)
    [stage] = target.stages([crd])
    assert await target.settle(stage, SOON) == []
    live = await applied(target, thing(group, namespace))
    found = await look(target, crd)
    assert (await target.delete(Change(id=crd.id, action=Action.DELETE, live=found))).error is None

    async def is_gone() -> bool:
        return await look(target, crd) is None

    await eventually(is_gone)
    assert (await target.delete(Change(id=live.id, action=Action.DELETE, live=live))).error is None


async def test_a_read_only_actor_may_ask_for_its_rights(access: Access, ctx: Context) -> None:
    reader: Actor = actor(read_only=True)
    async with KubernetesSink().connect(access, reader, ctx) as target:
        assert list(await target.rights([("apps", "v1", "Deployment")])) == []


def pod(name: str, namespace: str, labels: dict[str, str]) -> Manifest:
    return Manifest.of(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {"containers": [{"name": "main", "image": "no.such/image"}]},
        }
    )


async def put_status(client: Client, namespace: str, status: dict[str, Any]) -> None:
    """As the kubelet does for the pod `a`."""
    where = f"/api/v1/namespaces/{namespace}/pods/a/status"
    patch = {"status": status}
    reply = await client.send("PATCH", where, body=patch, content_type="application/merge-patch+json")
    clients.checked(reply, "setting the status")


async def test_the_reason_of_an_unhealthy_pod_is_found(
    client: Client, target: KubernetesTarget, namespace: str
) -> None:
    manifest = pod("a", namespace, {"app": "a"})
    await applied(target, manifest)
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    container = {"name": "main", "image": "x", "imageID": "", "ready": False, "restartCount": 0, "state": waiting}
    await put_status(client, namespace, {"phase": "Pending", "containerStatuses": [container]})
    live = await look(target, manifest)
    assert live is not None
    reason = f"Pod/{namespace}/a: container main: ImagePullBackOff: no such image"
    assert await target.explain(live) == Explanation(message=reason)


def stateful_set(namespace: str) -> Manifest:
    labels = {"app": "db"}
    return Manifest.of(
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "db", "namespace": namespace},
            "spec": {
                "replicas": 1,
                "serviceName": "db",
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "main", "image": "no.such/image"}]},
                },
            },
        }
    )


async def test_a_stateful_set_has_failed_when_its_pod_crashes_again_and_again(
    client: Client, target: KubernetesTarget, namespace: str
) -> None:
    live = await applied(target, stateful_set(namespace))
    await applied(target, pod("a", namespace, {"app": "db"}))
    crash = {
        "name": "main",
        "image": "x",
        "imageID": "",
        "ready": False,
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
    }
    await put_status(client, namespace, {"phase": "Running", "containerStatuses": [crash]})
    reason = "container main: CrashLoopBackOff: back-off 40s (it last ended: OOMKilled with exit code 137)"
    assert await target.explain(live) == Explanation(message=f"Pod/{namespace}/a: {reason}", failed=True)


async def test_pods_that_a_quota_refuses_are_told_by_the_event(
    client: Client, target: KubernetesTarget, namespace: str
) -> None:
    live = await applied(target, stateful_set(namespace))
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "db.1", "namespace": namespace},
        "involvedObject": {"kind": "StatefulSet", "name": "db", "namespace": namespace, "uid": live.uid},
        "type": "Warning",
        "reason": "FailedCreate",
        "message": 'pods "db-0" is forbidden: exceeded quota: small',
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
    clients.checked(await client.send("POST", f"/api/v1/namespaces/{namespace}/events", body=event), "the event")
    found = await target.explain(live)
    assert found == Explanation(message='FailedCreate: pods "db-0" is forbidden: exceeded quota: small')


async def test_a_string_that_left_a_secret_in_git_leaves_it_in_the_cluster(
    target: KubernetesTarget, namespace: str
) -> None:
    def secret(strings: dict[str, str]) -> Manifest:
        metadata = {"name": "a", "namespace": namespace}
        return Manifest.of({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": strings})

    await applied(target, secret({"user": "ada", "old": "x"}))
    live = await applied(target, secret({"user": "ada"}), action=Action.UPDATE)
    assert live.body["data"] == {"user": "YWRh"}

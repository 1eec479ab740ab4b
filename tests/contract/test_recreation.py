"""Objects of which a field cannot be changed in place: refused, or re-created where that is asked for."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from fakes.scene import MERGE, Scene, wide

from gitopsd.model.change import Action
from gitopsd.plugin.conformance.scene import eventually

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

CREATED, UPDATED, UNCHANGED, RECREATED = (
    [action] for action in (Action.CREATE, Action.UPDATE, Action.UNCHANGED, Action.RECREATE)
)
FORCED = {"annotations": {"kustomize.toolkit.fluxcd.io/force": "enabled"}}


def role_binding(scene: Scene, role: str) -> Any:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role}
    api = "rbac.authorization.k8s.io/v1"
    return scene.object("RoleBinding", api=api, roleRef=reference, subjects=[])


def storage_class(name: str, kind: str, **metadata: Any) -> dict[str, Any]:
    parts = {"provisioner": f"example.com/{kind}", "parameters": {"type": kind}}
    return wide("StorageClass", "storage.k8s.io/v1", name, metadata=metadata, **parts)


def job(scene: Scene, image: str, **metadata: Any) -> Any:
    pod = {"containers": [{"name": "main", "image": image}], "restartPolicy": "Never"}
    return scene.object("Job", api="batch/v1", metadata=metadata, spec={"template": {"spec": pod}})


def claim(scene: Scene, mode: str, **metadata: Any) -> Any:
    spec = {"storageClassName": "manual", "accessModes": [mode], "resources": {"requests": {"storage": "3Gi"}}}
    return scene.object("PersistentVolumeClaim", metadata=metadata, spec=spec)


def stateful_set(scene: Scene, service: str) -> Any:
    spec = {key: value for key, value in scene.deployment()["spec"].items() if key != "paused"}
    return scene.object("StatefulSet", api="apps/v1", spec=spec | {"serviceName": service, "replicas": 0})


def service(scene: Scene, address: str | None = None) -> Any:
    spec: dict[str, Any] = {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]}
    return scene.object("Service", spec=spec | ({"clusterIP": address} if address else {}))


def secret(scene: Scene, value: str) -> Any:
    return scene.object("Secret", immutable=True, stringData={"key": value})


async def uid(scene: Scene, body: Any) -> str:
    found: str = (await scene.app.body(body))["metadata"]["uid"]
    return found


async def recreated(scene: Scene, before: Any, after: Any) -> None:
    """Refused first, with the object as it was; re-created when it is forced."""
    app = scene.app
    await app.make(before)
    old = await uid(scene, before)
    [refused] = await app.apply(after)
    assert refused.action is Action.REFUSE
    assert "cannot be changed in place" in app.errors[0]
    assert await uid(scene, before) == old
    [planned] = await app.plan(after, force=True)
    assert planned.action is Action.RECREATE
    assert await forced(scene, after) == RECREATED
    assert await uid(scene, after) != old
    assert await app.make(after, force=True) == UNCHANGED


async def forced(scene: Scene, body: Any) -> list[Action]:
    """What came of it at last: where a controller writes while we look, nothing is deleted, and it is tried again."""
    while True:
        changes = await scene.app.apply(body, force=True)
        if not any("delete failed (Conflict)" in error for error in scene.app.errors):
            break
    assert scene.app.errors == []
    return [change.action for change in changes]


async def test_an_immutable_secret_is_re_created(scene: Scene) -> None:
    await recreated(scene, secret(scene, "one"), secret(scene, "two"))


async def test_a_bound_role_is_exchanged_by_re_creating_the_binding(scene: Scene) -> None:
    await recreated(scene, role_binding(scene, "one"), role_binding(scene, "two"))


async def test_a_job_is_run_again_with_another_image(scene: Scene) -> None:
    await recreated(scene, job(scene, "main:1"), job(scene, "main:2"))


async def test_a_job_that_was_removed_when_it_was_done_is_not_run_again_for_that(scene: Scene) -> None:
    def ending(image: str) -> Any:
        body = job(scene, image)
        return {**body, "spec": {**body["spec"], "ttlSecondsAfterFinished": 0}}

    app = scene.app
    assert await app.make(ending("main:1")) == CREATED
    await scene.remove(ending("main:1"))
    [left] = await app.apply(ending("main:1"))
    assert (app.errors, left.action) == ([], Action.SKIP)
    assert "removed when it was done" in left.reason
    assert await app.make(ending("main:2")) == CREATED
    assert await app.make(job(scene, "main:2")) == UPDATED
    await scene.remove(job(scene, "main:2"))
    assert await app.make(job(scene, "main:2")) == CREATED


async def test_a_deployment_with_another_selector_is_re_created(scene: Scene) -> None:
    other = scene.deployment()
    labels = {"app": "other"}
    other["spec"] |= {"selector": {"matchLabels": labels}}
    other["spec"]["template"] = {**other["spec"]["template"], "metadata": {"labels": labels}}
    await recreated(scene, scene.deployment(replicas=0), other)


async def test_a_stateful_set_of_another_service_is_re_created(scene: Scene) -> None:
    await recreated(scene, stateful_set(scene, "one"), stateful_set(scene, "two"))


async def test_a_service_of_another_address_is_re_created(scene: Scene) -> None:
    await scene.app.make(service(scene))
    now = (await scene.app.body(service(scene)))["spec"]["clusterIP"]
    wanted = now.rpartition(".")[0] + (".77" if not now.endswith(".77") else ".78")
    await recreated(scene, service(scene), service(scene, wanted))


async def test_a_pod_with_another_environment_is_re_created(scene: Scene) -> None:
    def pod(value: str) -> Any:
        return scene.object(
            "Pod", spec={"containers": [{"name": "a", "image": "a", "env": [{"name": "a", "value": value}]}]}
        )

    await recreated(scene, pod("one"), pod("two"))


@pytest.mark.parametrize("kind", ["PriorityClass", "RuntimeClass", "IngressClass"])
async def test_a_class_with_another_value_is_re_created(scene: Scene, kind: str) -> None:
    name = f"{scene.namespace}-class"
    one, two = {
        "PriorityClass": [wide(kind, "scheduling.k8s.io/v1", name, value=value) for value in (1, 2)],
        "RuntimeClass": [wide(kind, "node.k8s.io/v1", name, handler=value) for value in "ab"],
        "IngressClass": [wide(kind, "networking.k8s.io/v1", name, spec={"controller": f"x.y/{v}"}) for v in "ab"],
    }[kind]
    await recreated(scene, one, two)


async def test_a_class_is_re_created_where_it_asks_for_it_itself(scene: Scene) -> None:
    name = f"{scene.namespace}-class"
    await scene.app.make(storage_class(name, "gp2"))
    [refused] = await scene.app.apply(storage_class(name, "gp3"))
    assert refused.action is Action.REFUSE
    assert await scene.app.make(storage_class(name, "gp3", **FORCED)) == RECREATED


async def test_a_volume_claim_is_re_created_only_where_it_asks_for_it_itself(scene: Scene) -> None:
    app = scene.app
    await app.make(claim(scene, "ReadWriteOnce"))
    old = await uid(scene, claim(scene, ""))
    [refused] = await app.apply(claim(scene, "ReadWriteMany"), force=True)
    assert refused.action is Action.REFUSE
    assert "force re-creates no namespace, definition or volume" in app.errors[0]
    assert await uid(scene, claim(scene, "")) == old
    [planned] = await app.plan(claim(scene, "ReadWriteMany", **FORCED))
    assert planned.action is Action.RECREATE


async def test_a_forced_object_that_is_only_wrong_is_not_touched(scene: Scene) -> None:
    app = scene.app
    await app.make(job(scene, "main:1"))
    old = await uid(scene, job(scene, ""))
    broken = job(scene, "main:1")
    broken["spec"] = {**broken["spec"], "parallelism": "many"}
    [refused] = await app.apply(broken, force=True)
    assert refused.action is Action.REFUSE
    assert await uid(scene, broken) == old


async def test_a_re_creation_waits_for_finalizers(scene: Scene) -> None:
    app = scene.app
    held = {"finalizers": ["example.com/hold"]}
    await app.make({**secret(scene, "one"), "metadata": {"name": "web", "namespace": scene.namespace, **held}})

    async def is_terminating() -> bool:
        return "deletionTimestamp" in (await app.body(secret(scene, "")))["metadata"]

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_make, scene, secret(scene, "two"))
        await eventually(is_terminating)
        await scene.edit("somebody", secret(scene, ""), {"metadata": {"finalizers": None}}, MERGE)
    assert (await app.body(secret(scene, "")))["data"] == {"key": "dHdv"}


async def _make(scene: Scene, body: Any) -> None:
    assert await scene.app.make(body, force=True) == RECREATED

"""What happens by itself: workloads, namespaces, garbage, definitions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import scenarios
from in_process import CM, config_map

from gitopsd_plugins.sandbox.cluster import Settings
from gitopsd_plugins.sandbox.controllers import pods
from gitopsd_plugins.sandbox.server import Running, serve

pytestmark = pytest.mark.asyncio

Json = dict[str, Any]

APPS = "/apis/apps/v1/namespaces/default"
JOBS = "/apis/batch/v1/namespaces/default/jobs"


async def until(holds: Callable[[], Any]) -> Any:
    """What `holds` gives as soon as it is true; controllers act between turns of the loop."""
    async with asyncio.timeout(5):
        while not (found := holds()):  # noqa: ASYNC110 - the store has no event of its own for a test
            await asyncio.sleep(0)
        return found


def stored(sandbox: Running, group: str, plural: str, name: str, namespace: str = "default") -> Json:
    found = sandbox.cluster.store.get((group, plural), (namespace, name))
    return found.body if found else {}


def condition(body: Json, kind: str) -> tuple[str, str]:
    conditions = (body.get("status") or {}).get("conditions") or ()
    return next(((each["status"], each.get("reason", "")) for each in conditions if each["type"] == kind), ("", ""))


async def make(session: aiohttp.ClientSession, path: str, body: Json) -> Json:
    async with session.post(path, json=body) as response:
        assert response.status == 201, await response.text()
        made: Json = await response.json()
        return made


def job(name: str, image: str) -> Json:
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": image}]}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": {"spec": pod}}}


async def test_a_deployment_becomes_healthy_with_replica_set_and_pods(
    sandbox: Running, session: aiohttp.ClientSession
) -> None:
    await make(session, f"{APPS}/deployments", scenarios.deployment("web", replicas=2))
    await until(lambda: condition(stored(sandbox, "apps", "deployments", "web"), "Available")[0] == "True")
    body = stored(sandbox, "apps", "deployments", "web")
    assert body["status"]["observedGeneration"] == body["metadata"]["generation"] == 1
    assert (body["status"]["readyReplicas"], body["status"]["updatedReplicas"]) == (2, 2)
    assert condition(body, "Progressing") == ("True", "NewReplicaSetAvailable")
    [replica_set] = sandbox.cluster.store.objects["apps", "replicasets"].values()
    assert replica_set.metadata["ownerReferences"][0]["name"] == "web"
    pods = list(sandbox.cluster.store.objects["", "pods"].values())
    assert [pod.body["status"]["phase"] for pod in pods] == ["Running", "Running"]


async def test_a_workload_gets_as_many_pods_as_the_sandbox_can_bear(
    sandbox: Running, session: aiohttp.ClientSession
) -> None:
    await make(session, f"{APPS}/deployments", scenarios.deployment("vast", replicas=2**31 - 1))
    body = await until(lambda: (stored(sandbox, "apps", "deployments", "vast").get("status") or {}).get("replicas"))
    assert body == pods.MOST == len(list(sandbox.cluster.store.all(("", "pods"))))
    assert condition(stored(sandbox, "apps", "deployments", "vast"), "Available")[0] == "False"


async def test_no_two_pods_of_a_workload_are_named_alike() -> None:
    for uid in map(str, range(20)):
        names = pods.suffixes(uid, pods.MOST)
        assert len({*names}) == pods.MOST
        assert pods.suffixes(uid, 3) == names[:3]


async def test_a_new_image_rolls_out(sandbox: Running, session: aiohttp.ClientSession) -> None:
    await make(session, f"{APPS}/deployments", scenarios.deployment("web"))
    await until(lambda: condition(stored(sandbox, "apps", "deployments", "web"), "Available")[0] == "True")
    body = scenarios.deployment("web", {"name": "c", "image": "i:2"})
    await session.put(f"{APPS}/deployments/web", json=body)

    def images() -> list[str]:
        return [pod.body["spec"]["containers"][0]["image"] for pod in sandbox.cluster.store.all(("", "pods"))]

    await until(lambda: images() == ["i:2"])
    await until(lambda: stored(sandbox, "apps", "deployments", "web")["status"].get("observedGeneration") == 2)


@pytest.mark.parametrize("image", ["app:broken", "fail/app:1"])
async def test_a_broken_image_exceeds_the_progress_deadline(
    image: str, sandbox: Running, session: aiohttp.ClientSession
) -> None:
    await make(session, f"{APPS}/deployments", scenarios.deployment("web", {"name": "c", "image": image}))
    expected = ("False", "ProgressDeadlineExceeded")
    await until(lambda: condition(stored(sandbox, "apps", "deployments", "web"), "Progressing") == expected)
    [pod] = sandbox.cluster.store.all(("", "pods"))
    await until(lambda: stored(sandbox, "", "pods", pod.key[1])["status"].get("containerStatuses"))
    waiting = stored(sandbox, "", "pods", pod.key[1])["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting["reason"] == "ImagePullBackOff"


async def test_jobs_complete_or_fail(sandbox: Running, session: aiohttp.ClientSession) -> None:
    await make(session, JOBS, job("good", "app:1"))
    await make(session, JOBS, job("bad", "app:fail"))
    await until(lambda: condition(stored(sandbox, "batch", "jobs", "good"), "Complete")[0] == "True")
    await until(lambda: condition(stored(sandbox, "batch", "jobs", "bad"), "Failed")[0] == "True")
    assert stored(sandbox, "batch", "jobs", "good")["status"]["succeeded"] == 1


async def test_stateful_and_daemon_sets_become_ready(sandbox: Running, session: aiohttp.ClientSession) -> None:
    pod = {"metadata": {"labels": {"app": "s"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
    claim = {
        "metadata": {"name": "v"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    spec = {"selector": {"matchLabels": {"app": "s"}}, "template": pod}
    stateful = {**spec, "serviceName": "s", "replicas": 2, "volumeClaimTemplates": [claim]}
    await make(session, f"{APPS}/statefulsets", {"kind": "StatefulSet", "metadata": {"name": "s"}, "spec": stateful})
    await make(session, f"{APPS}/daemonsets", {"kind": "DaemonSet", "metadata": {"name": "s"}, "spec": spec})
    await until(lambda: stored(sandbox, "apps", "statefulsets", "s")["status"].get("readyReplicas") == 2)
    await until(lambda: stored(sandbox, "apps", "daemonsets", "s")["status"].get("numberAvailable") == 1)
    await until(
        lambda: stored(sandbox, "", "persistentvolumeclaims", "v-s-1").get("status", {}).get("phase") == "Bound"
    )


async def test_a_load_balancer_gets_an_address(sandbox: Running, session: aiohttp.ClientSession) -> None:
    await make(session, "/api/v1/namespaces/default/services", scenarios.service("lb", type="LoadBalancer"))
    await until(lambda: stored(sandbox, "", "services", "lb")["status"]["loadBalancer"].get("ingress"))


async def test_settled_controllers_write_nothing_more(sandbox: Running, session: aiohttp.ClientSession) -> None:
    await make(session, f"{APPS}/deployments", scenarios.deployment("web"))
    await until(lambda: condition(stored(sandbox, "apps", "deployments", "web"), "Available")[0] == "True")
    for _ in range(20):
        await asyncio.sleep(0)
    version = sandbox.cluster.store.version
    for _ in range(50):
        await asyncio.sleep(0)
    assert sandbox.cluster.store.version == version


async def test_a_deployment_stays_healthy_over_a_restart_and_can_be_scaled_then(tmp_path: Path) -> None:
    headers = {"Authorization": "Bearer t"}
    async with (
        serve(persist=tmp_path, token="t", settings=Settings(settling=0)) as first,
        aiohttp.ClientSession(first.url, headers=headers) as session,
    ):
        await make(session, f"{APPS}/deployments", scenarios.deployment("web"))
        await until(lambda: condition(stored(first, "apps", "deployments", "web"), "Available")[0] == "True")
    async with serve(persist=tmp_path, token="t", settings=Settings(settling=0)) as second:
        for _ in range(50):
            await asyncio.sleep(0)
        assert condition(stored(second, "apps", "deployments", "web"), "Available")[0] == "True"
        kind = {"Content-Type": "application/merge-patch+json"}
        async with (
            aiohttp.ClientSession(second.url, headers={**headers, **kind}) as session,
            session.patch(f"{APPS}/deployments/web", json={"spec": {"replicas": 3}}) as response,
        ):
            assert response.status == 200
            await until(lambda: stored(second, "apps", "deployments", "web")["status"].get("readyReplicas") == 3)


async def test_every_namespace_has_its_account_and_certificates(
    sandbox: Running, session: aiohttp.ClientSession
) -> None:
    await make(session, "/api/v1/namespaces", {"metadata": {"name": "n"}})
    await until(lambda: stored(sandbox, "", "serviceaccounts", "default", "n"))
    await until(lambda: stored(sandbox, "", "configmaps", "kube-root-ca.crt", "n"))


async def test_a_deleted_namespace_takes_its_content_along(sandbox: Running, session: aiohttp.ClientSession) -> None:
    await make(session, "/api/v1/namespaces", {"metadata": {"name": "n"}})
    await make(session, "/api/v1/namespaces/n/configmaps", config_map("a"))
    await session.delete("/api/v1/namespaces/n")
    await until(lambda: not stored(sandbox, "", "namespaces", "n", ""))
    assert list(sandbox.cluster.store.within("n")) == []


async def test_a_finalizer_holds_the_namespace_and_its_status_says_so(
    sandbox: Running, session: aiohttp.ClientSession
) -> None:
    await make(session, "/api/v1/namespaces", {"metadata": {"name": "n"}})
    await make(session, "/api/v1/namespaces/n/configmaps", config_map("a", finalizers=["x.io/hold"]))
    await session.delete("/api/v1/namespaces/n")
    remaining = ("True", "SomeFinalizersRemain")
    await until(
        lambda: condition(stored(sandbox, "", "namespaces", "n", ""), "NamespaceFinalizersRemaining") == remaining
    )
    headers = {"Content-Type": "application/merge-patch+json"}
    await session.patch("/api/v1/namespaces/n/configmaps/a", json={"metadata": {"finalizers": None}}, headers=headers)
    await until(lambda: not stored(sandbox, "", "namespaces", "n", ""))


async def owner_and_child(session: aiohttp.ClientSession) -> Json:
    owner = await make(session, CM, config_map("owner"))
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "owner",
        "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": True,
    }
    await make(session, CM, config_map("child", ownerReferences=[reference]))
    return owner


async def test_dependants_go_after_their_owner(sandbox: Running, session: aiohttp.ClientSession) -> None:
    await owner_and_child(session)
    await session.delete(f"{CM}/owner")
    await until(lambda: not stored(sandbox, "", "configmaps", "child"))


async def test_foreground_deletion_removes_dependants_first(sandbox: Running, session: aiohttp.ClientSession) -> None:
    await owner_and_child(session)
    async with session.delete(f"{CM}/owner", json={"propagationPolicy": "Foreground"}) as response:
        assert (await response.json())["metadata"]["finalizers"] == ["foregroundDeletion"]
    await until(lambda: not stored(sandbox, "", "configmaps", "owner"))
    gone = [event.last.key[1] for event in sandbox.cluster.store.events if event.after is None]
    assert gone[-2:] == ["child", "owner"]


async def test_orphaned_dependants_stay_without_the_reference(sandbox: Running, session: aiohttp.ClientSession) -> None:
    await owner_and_child(session)
    await session.delete(f"{CM}/owner", json={"propagationPolicy": "Orphan"})
    await until(lambda: not stored(sandbox, "", "configmaps", "owner"))
    assert "ownerReferences" not in stored(sandbox, "", "configmaps", "child")["metadata"]


async def test_an_object_of_an_owner_that_never_was_goes(sandbox: Running, session: aiohttp.ClientSession) -> None:
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "no-such-uid"}
    await make(session, CM, config_map("lost", ownerReferences=[reference]))
    await until(lambda: not stored(sandbox, "", "configmaps", "lost"))


async def test_a_definition_is_served_once_established_and_takes_its_objects_along(
    sandbox: Running, session: aiohttp.ClientSession
) -> None:
    path = "/apis/demo.io/v1/namespaces/default/widgets"
    assert (await session.get(path)).status == 404
    await make(session, scenarios.CRD, scenarios.widgets())
    await until(lambda: sandbox.cluster.resources.find("demo.io", "v1", "widgets"))
    established = condition(
        stored(sandbox, "apiextensions.k8s.io", "customresourcedefinitions", "widgets.demo.io", ""), "Established"
    )
    assert established == ("True", "InitialNamesAccepted")
    await make(session, path, scenarios.widget("w", size=1))
    async with session.get(f"{path}?watch=1&resourceVersion={sandbox.cluster.store.version}") as watch:
        await session.delete(f"{scenarios.CRD}/widgets.demo.io")
        await until(lambda: not sandbox.cluster.resources.find("demo.io", "v1", "widgets"))
        assert b'"DELETED"' in await asyncio.wait_for(watch.content.read(), 5)
    assert (await session.get(path)).status == 404
    await until(lambda: not stored(sandbox, "apiextensions.k8s.io", "customresourcedefinitions", "widgets.demo.io", ""))


async def test_an_annotation_makes_pods_claims_and_balancers_fail(
    sandbox: Running, session: aiohttp.ClientSession
) -> None:
    told = {"sandbox.gitopsd.io/fail": "no route to the database"}
    body = scenarios.deployment("sick")
    body["spec"]["template"]["metadata"]["annotations"] = told
    await make(session, f"{APPS}/deployments", body)
    progressing = ("False", "ProgressDeadlineExceeded")
    await until(lambda: condition(stored(sandbox, "apps", "deployments", "sick"), "Progressing") == progressing)

    def states() -> list[Json]:
        pods = [each.body["status"] for each in sandbox.cluster.store.all(("", "pods"))]
        return [each["state"] for status in pods for each in status.get("containerStatuses", ())]

    [state] = await until(states)
    waiting = state["waiting"]
    assert waiting == {"reason": "CrashLoopBackOff", "message": told["sandbox.gitopsd.io/fail"]}

    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    path = "/api/v1/namespaces/default/persistentvolumeclaims"
    await make(session, path, {"metadata": {"name": "sick", "annotations": told}, "spec": claim})
    await make(session, path, {"metadata": {"name": "well"}, "spec": claim})
    await until(lambda: stored(sandbox, "", "persistentvolumeclaims", "well")["status"]["phase"] == "Bound")
    assert stored(sandbox, "", "persistentvolumeclaims", "sick")["status"]["phase"] == "Pending"

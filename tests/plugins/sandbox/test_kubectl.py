"""kubectl works on the sandbox as on any cluster. Left out where there is no kubectl."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
import scenarios

from gitopsd_plugins.sandbox.cluster import Settings
from gitopsd_plugins.sandbox.server import Running, serve

KUBECTL = shutil.which("kubectl")

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.slow,
    pytest.mark.skipif(KUBECTL is None, reason="there is no kubectl on the PATH"),
]

Run = Callable[..., Awaitable[str]]


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Running]:
    """A cluster that settles soon."""
    async with serve(tls=True, settings=Settings(settling=0.05)) as running:
        yield running


@pytest.fixture
def kubectl(sandbox: Running, tmp_path: Path) -> Run:
    """Runs kubectl on the sandbox; gives its output, and fails where it fails."""
    config = tmp_path / "kubeconfig"
    config.write_text(sandbox.kubeconfig())

    async def run(*words: str, given: str = "", fails: int = 0) -> str:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            str(KUBECTL),
            *words,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env={**os.environ, "KUBECONFIG": str(config), "HOME": str(tmp_path), "GOGC": "off"},  # it ends at once
        )
        out, err = await process.communicate(given.encode())
        assert process.returncode == fails, err.decode() + out.decode()
        return err.decode() if fails and not out else out.decode()

    return run


async def test_create_apply_get_scale_and_delete(kubectl: Run) -> None:
    manifest = json.dumps({**scenarios.deployment("web"), "metadata": {"name": "web", "namespace": "shop"}})
    assert "created" in await kubectl("create", "namespace", "shop")
    assert "created" in await kubectl("apply", "-f", "-", given=manifest)
    assert "unchanged" in await kubectl("apply", "-f", "-", given=manifest)
    await kubectl("-n", "shop", "rollout", "status", "deployment/web", "--timeout=10s")
    await kubectl("-n", "shop", "scale", "deployment/web", "--replicas=2")
    await kubectl("-n", "shop", "wait", "--for=jsonpath={.status.readyReplicas}=2", "deployment/web", "--timeout=10s")
    assert "2/2" in await kubectl("-n", "shop", "get", "deployments")
    await kubectl("delete", "namespace", "shop", "--timeout=10s")
    assert "shop" not in await kubectl("get", "namespaces", "-o", "name")


async def test_server_side_apply_patch_label_and_edit_verbs(kubectl: Run) -> None:
    manifest = json.dumps(scenarios.cm("a", data={"x": "1"}))
    await kubectl("apply", "--server-side", "-f", "-", given=manifest)
    await kubectl("label", "configmap", "a", "l=1")
    await kubectl("patch", "configmap", "a", "--type=json", "-p", '[{"op":"add","path":"/data/y","value":"2"}]')
    found = json.loads(await kubectl("get", "configmap", "a", "-o", "json"))
    assert (found["data"], found["metadata"]["labels"]) == ({"x": "1", "y": "2"}, {"l": "1"})


async def test_objects_that_kubectl_makes_itself(kubectl: Run) -> None:
    await kubectl("create", "configmap", "c", "--from-literal=a=b")
    await kubectl("create", "secret", "generic", "s", "--from-literal=a=b")
    await kubectl("create", "deployment", "d", "--image=nginx", "--replicas=2", "--port=80")
    await kubectl("create", "role", "r", "--verb=get", "--resource=pods")
    await kubectl("create", "rolebinding", "b", "--role=r", "--user=jane")
    assert await kubectl("auth", "can-i", "get", "pods", "--as=jane") == "yes\n"
    found = json.loads(await kubectl("get", "deployment", "d", "-o", "json"))
    assert found["spec"]["replicas"] == 2
    assert found["spec"]["template"]["spec"]["containers"][0]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]


async def test_definitions_and_their_objects(kubectl: Run) -> None:
    await kubectl("apply", "-f", "-", given=json.dumps(scenarios.widgets()))
    await kubectl("wait", "--for=condition=Established", "crd/widgets.demo.io", "--timeout=10s")
    await kubectl("apply", "-f", "-", given=json.dumps(scenarios.widget("w", size=1)))
    assert "widget.demo.io/w" in await kubectl("get", "wd", "-o", "name")
    await kubectl("delete", "crd", "widgets.demo.io", "--timeout=10s")


def shop(replicas: int = 1, image: str = "nginx:1") -> str:
    body = scenarios.deployment("web", {"name": "c", "image": image}, replicas=replicas)
    return json.dumps({**body, "metadata": {"name": "web", "labels": {"team": "a"}}})


async def test_get_in_its_usual_forms(kubectl: Run) -> None:
    await kubectl("create", "deployment", "web", "--image=nginx", "--replicas=1")
    await kubectl("expose", "deployment", "web", "--port=80")
    await kubectl("rollout", "status", "deployment/web", "--timeout=10s")
    assert (await kubectl("get", "deploy", "web")).split()[:5] == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    wide = await kubectl("get", "deploy", "-o", "wide")
    assert wide.split()[5:8] == ["CONTAINERS", "IMAGES", "SELECTOR"]
    assert "nginx" in wide
    assert "IP" in (await kubectl("get", "pods", "-o", "wide")).split()
    assert json.loads(await kubectl("get", "deploy", "web", "-o", "json"))["kind"] == "Deployment"
    assert "kind: Deployment" in await kubectl("get", "deploy", "web", "-o", "yaml")
    assert await kubectl("get", "deploy", "-o", "name") == "deployment.apps/web\n"
    assert await kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "1"
    assert await kubectl("get", "deploy", "-o", "custom-columns=N:.metadata.name") == "N\nweb\n"
    assert await kubectl("get", "deploy", "web", "-o", "go-template={{.kind}}") == "Deployment"
    assert "default" in await kubectl("get", "deploy", "-A")
    assert "app=web" in await kubectl("get", "deploy", "--show-labels")
    assert "web" in await kubectl("get", "deploy", "-l", "app=web", "--field-selector", "metadata.name=web")
    assert "service/web" in await kubectl("get", "deploy,svc")
    assert (await kubectl("get", "svc", "--sort-by=.metadata.name", "-o", "name")).split()[-1] == "service/web"
    everything = await kubectl("get", "all")
    assert all(each in everything for each in ("deployment.apps/web", "replicaset.apps/web", "pod/web", "service/web"))
    assert "NotFound" in await kubectl("get", "deploy", "nothing", fails=1)
    assert "the server doesn't have a resource type" in await kubectl("get", "nothings", fails=1)
    assert "Replicas:" in await kubectl("describe", "deployment", "web")
    assert "restartPolicy" in await kubectl("explain", "deployment.spec.template.spec")


async def test_apply_and_diff_by_the_client_and_by_the_server(kubectl: Run) -> None:
    assert "created" in await kubectl("apply", "-f", "-", given=shop())
    assert "unchanged" in await kubectl("apply", "-f", "-", given=shop())
    assert "+  replicas: 2" in await kubectl("diff", "-f", "-", given=shop(2), fails=1)
    assert await kubectl("diff", "-f", "-", given=shop()) == ""
    assert "configured" in await kubectl("apply", "-f", "-", given=shop(2))
    assert "(server dry run)" in await kubectl("apply", "--dry-run=server", "-f", "-", given=shop(3))
    assert "serverside-applied" in await kubectl("apply", "--server-side", "-f", "-", given=shop(2))
    await kubectl("scale", "deployment/web", "--replicas=4")
    refused = await kubectl("apply", "--server-side", "-f", "-", given=shop(3), fails=1)
    assert 'conflict with "kubectl" with subresource "scale"' in refused
    await kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=shop(3))
    assert await kubectl("diff", "--server-side", "--force-conflicts", "-f", "-", given=shop(3)) == ""
    unknown = json.dumps({**scenarios.cm("a"), "dta": {"x": "1"}})
    assert 'unknown field "dta"' in await kubectl("apply", "-f", "-", given=unknown, fails=1)
    assert "replaced" in await kubectl("replace", "-f", "-", given=shop(1))


async def test_labels_annotations_patches_and_rollouts(kubectl: Run) -> None:
    await kubectl("apply", "-f", "-", given=shop())
    await kubectl("label", "deployment", "web", "tier=x")
    assert "already has a value" in await kubectl("label", "deployment", "web", "tier=y", fails=1)
    await kubectl("label", "deployment", "web", "tier=y", "--overwrite")
    await kubectl("annotate", "deployment", "web", "note=1")
    await kubectl("label", "deployment", "web", "team-")
    found = json.loads(await kubectl("get", "deployment", "web", "-o", "json"))["metadata"]
    assert (found["labels"], found["annotations"]["note"]) == ({"tier": "y"}, "1")
    for kind, patch in (
        ("merge", '{"spec":{"paused":false}}'),
        ("strategic", '{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"nginx:2"}]}}}}'),
        ("json", '[{"op":"replace","path":"/spec/replicas","value":2}]'),
    ):
        assert "patched" in await kubectl("patch", "deployment", "web", f"--type={kind}", "-p", patch)
    await kubectl("rollout", "status", "deployment/web", "--timeout=10s")
    await kubectl("set", "image", "deployment/web", "c=nginx:3")
    await kubectl("rollout", "status", "deployment/web", "--timeout=10s")
    assert [each[:1] for each in (await kubectl("rollout", "history", "deployment/web")).split("\n")[2:5]] == [
        "1",
        "2",
        "3",
    ]
    await kubectl("rollout", "undo", "deployment/web")
    image = "jsonpath={.spec.template.spec.containers[0].image}"
    assert await kubectl("get", "deployment", "web", "-o", image) == "nginx:2"
    await kubectl("rollout", "restart", "deployment/web")
    await kubectl("rollout", "status", "deployment/web", "--timeout=10s")


async def test_deletions_and_waits(kubectl: Run) -> None:
    for name in ("a", "b", "c"):
        await kubectl("create", "configmap", name)
    await kubectl("label", "configmap", "a", "b", "x=y")
    assert "deleted" in await kubectl("delete", "configmap", "-l", "x=y")
    assert "c" in await kubectl("delete", "configmap", "c", "--dry-run=server")
    await kubectl("delete", "configmap", "c")
    assert "NotFound" in await kubectl("delete", "configmap", "c", fails=1)
    assert await kubectl("delete", "configmap", "c", "--ignore-not-found") == ""
    await kubectl("apply", "-f", "-", given=shop())
    await kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=10s")
    await kubectl("delete", "deployment", "web", "--cascade=foreground", "--timeout=10s")
    assert await kubectl("get", "replicasets", "-o", "name") == ""
    await kubectl("apply", "-f", "-", given=shop())
    await kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=10s")
    await kubectl("delete", "deployment", "web", "--cascade=orphan")
    assert "replicaset.apps/web" in await kubectl("get", "replicasets", "-o", "name")
    await kubectl("delete", "replicasets", "--all")
    await kubectl("wait", "--for=delete", "pods", "--all", "--timeout=10s")


async def test_what_there_is_and_who_may(kubectl: Run) -> None:
    resources = await kubectl("api-resources", "--verbs=list", "-o", "name")
    assert {"configmaps", "deployments.apps", "ingresses.networking.k8s.io"} <= set(resources.split())
    assert "po" in (await kubectl("api-resources", "--api-group=")).split()
    assert "apps/v1" in (await kubectl("api-versions")).split()
    assert "v1.36" in await kubectl("version")
    assert await kubectl("auth", "can-i", "create", "deployments") == "yes\n"
    assert "no" in await kubectl("auth", "can-i", "create", "deployments", "--as=jane", fails=1)
    assert "*.*" in await kubectl("auth", "can-i", "--list")
    assert "sandbox-admin" in await kubectl("auth", "whoami")
    assert "forbidden" in await kubectl("get", "pods", "--as=jane", fails=1)
    assert "v1.36" in await kubectl("get", "--raw", "/version")
    assert "running" in await kubectl("cluster-info")


async def test_a_watch_shows_what_comes_and_goes(kubectl: Run, sandbox: Running) -> None:
    async def change() -> None:
        async with asyncio.timeout(10):
            while not sandbox.cluster.watchers.count():  # noqa: ASYNC110 - a watch that opens tells nobody
                await asyncio.sleep(0.02)
        await kubectl("create", "configmap", "seen")
        await kubectl("delete", "configmap", "seen")
        sandbox.cut_watches("", "configmaps")

    shown, _ = await asyncio.gather(kubectl("get", "configmaps", "-w", "--output-watch-events"), change())
    lines = [line.split()[:2] for line in shown.splitlines() if "seen" in line]
    assert lines == [["ADDED", "seen"], ["DELETED", "seen"]]

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
from gitopsd_plugins.sandbox.server import serve

KUBECTL = shutil.which("kubectl")

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.slow,
    pytest.mark.skipif(KUBECTL is None, reason="there is no kubectl on the PATH"),
]

Run = Callable[..., Awaitable[str]]


@pytest_asyncio.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Run]:
    """Runs kubectl on a sandbox; gives its output, and fails where it fails."""
    async with serve(tls=True, settings=Settings(settling=0.05)) as running:
        config = tmp_path / "kubeconfig"
        config.write_text(running.kubeconfig())

        async def run(*words: str, given: str = "") -> str:
            pipe = asyncio.subprocess.PIPE
            process = await asyncio.create_subprocess_exec(
                str(KUBECTL),
                *words,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                env={**os.environ, "KUBECONFIG": str(config), "HOME": str(tmp_path)},
            )
            out, err = await process.communicate(given.encode())
            assert process.returncode == 0, err.decode()
            return out.decode()

        yield run


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

"""What the real tools left in a real cluster: kubectl's is taken over at first contact, Helm's when the user says so.

Their requests to the sandbox have tests of its own (tests/plugins/sandbox/test_kubectl.py).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import anyio
import pytest
import pytest_asyncio
from fakes.real_cluster import RealCluster
from fakes.world import World, config_map, kustomization

from gitopsd.model.change import Action
from gitopsd.model.outcome import Phase

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.timeout(180),
    pytest.mark.parametrize("either", ["control-plane"], indirect=True),
]

Run = Callable[..., Awaitable[str]]
BY_KUBECTL = {
    "apply": ("apply", "-f", "-"),
    "apply on the server": ("apply", "--server-side", "-f", "-"),
    "create": ("create", "-f", "-"),
    "create, kept for apply": ("create", "--save-config", "-f", "-"),
}


@pytest_asyncio.fixture
async def namespace(either: World) -> AsyncIterator[str]:
    """A namespace of the test's own."""
    name = f"test-{uuid4().hex[:8]}"
    await either.send("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    await either.send("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def tool(either: World) -> Run:
    """Runs a program that knows the cluster by its kubeconfig; skips where it is not there."""
    kubeconfig = either.folder / "tools.kubeconfig"
    kubeconfig.write_text(either.running.kubeconfig())
    assert isinstance(either.running, RealCluster)
    context = either.running.context

    async def run(name: str, *words: str, given: str = "") -> str:
        program = shutil.which(name)
        if program is None:
            pytest.skip(f"there is no {name} on the PATH")
        environment = {"PATH": os.environ["PATH"], "HOME": str(either.folder), "KUBECONFIG": str(kubeconfig)}
        chosen = "--kube-context" if name == "helm" else "--context"
        command = [program, chosen, context, *words]
        ended = await anyio.run_process(command, input=given.encode(), env=environment, check=False)
        assert ended.returncode == 0, ended.stderr.decode()
        return ended.stdout.decode()

    return run


async def data(world: World, namespace: str) -> object:
    found = await world.get(f"/api/v1/namespaces/{namespace}/configmaps/a")
    assert found is not None
    return found["data"]


@pytest.mark.parametrize("how", BY_KUBECTL)
async def test_a_field_that_kubectl_wrote_and_git_does_not_state_goes(
    either: World, namespace: str, tool: Run, how: str
) -> None:
    await tool("kubectl", *BY_KUBECTL[how], given=config_map("a", namespace=namespace, key="old", gone="x"))
    either.repository.commit({"app/a.yaml": config_map("a", namespace=namespace, key="new")})
    either.declare(kustomization("app"))
    outcome = await either.app()
    assert outcome.changed == {Action.ADOPT: 1}, outcome.message
    assert await data(either, namespace) == {"key": "new"}
    assert (await either.app()).changed == {}


async def test_what_helm_installed_is_refused_by_name_until_the_user_says_so(
    either: World, namespace: str, tool: Run, tmp_path: Path
) -> None:
    templates = tmp_path / "chart" / "templates"
    templates.mkdir(parents=True)
    (templates.parent / "Chart.yaml").write_text("apiVersion: v2\nname: chart\nversion: 1.0.0\n")
    (templates / "a.yaml").write_text(config_map("a", namespace=namespace, key="old", gone="x"))
    await tool("helm", "install", "web", str(templates.parent), "--namespace", namespace)
    either.repository.commit({"app/a.yaml": config_map("a", namespace=namespace, key="new")})
    either.declare(kustomization("app"))
    refused = await either.app()
    assert refused.phase is Phase.STALLED
    assert "it is managed by Helm" in refused.message
    assert await data(either, namespace) == {"gone": "x", "key": "old"}
    either.declare(kustomization("app", annotations='{gitopsd.io/adopt: "true"}'))
    adopted = await either.app()
    assert adopted.changed == {Action.ADOPT: 1}, adopted.message
    assert await data(either, namespace) == {"key": "new"}
    assert (await either.app()).changed == {}

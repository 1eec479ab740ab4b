"""Objects as kubectl, Helm, Flux and Argo CD really left them (tests/data/managed): refused by name, and taken over when asked to.

After a takeover what Git does not state is gone with the tool's own marks, and what others added is there.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import uuid4

import pytest
from fakes import recorded
from fakes.recorded import TOOLS
from fakes.world import World, app_ref, kustomization

from gitopsd.model.change import Action
from gitopsd.model.outcome import Phase

pytestmark = pytest.mark.asyncio

ENGINES = {"flux": "Flux", "argocd": "Argo CD", "helm3": "Helm", "helm4": "Helm"}
"""The name under which a tool is refused, by the first word of its file."""
IN_GIT = """
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: NAMESPACE, labels: {team: web}}
data: {key: new}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NAMESPACE, labels: {team: web}}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "web:3", env: [{name: KEPT, value: new}], ports: [{name: http, containerPort: 80}]}]}
"""


def by_kubectl(tool: str) -> bool:
    return tool.startswith("kubectl")


async def left_behind(world: World, tool: str, namespace: str) -> None:
    """The tool's objects, with the managers of the recording."""
    await world.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    for it in recorded.by(tool, namespace):
        await world.send("POST", it.collection, it.body)
        await world.send("PATCH", it.path, it.patch, recorded.JSON_PATCH)


async def found(world: World, namespace: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The ConfigMap and the Deployment as they are."""
    config_map = await world.get(f"{recorded.CONFIG_MAPS.format(namespace)}/a")
    deployment = await world.get(f"{recorded.DEPLOYMENTS.format(namespace)}/web")
    assert config_map is not None
    assert deployment is not None
    return config_map, deployment


def is_as_recorded(config_map: dict[str, Any], deployment: dict[str, Any]) -> bool:
    containers = [container["name"] for container in deployment["spec"]["template"]["spec"]["containers"]]
    return config_map["data"] == {"key": "old", "gone": "x", "injected": "yes"} and containers == ["main", "sidecar"]


def assert_taken_over(config_map: dict[str, Any], deployment: dict[str, Any]) -> None:
    assert config_map["data"] == {"key": "new", "injected": "yes"}
    [main] = deployment["spec"]["template"]["spec"]["containers"]
    assert {each["name"]: each["value"] for each in main["env"]} == {"KEPT": "new", "INJECTED": "yes"}
    assert main["ports"] == [{"name": "http", "containerPort": 80, "protocol": "TCP"}]
    annotations = deployment["metadata"]["annotations"]
    annotations.pop("deployment.kubernetes.io/revision", None)  # its controller's
    assert annotations == {"example.org/injected": "yes"}
    assert not config_map["metadata"].get("annotations")
    for body in (config_map, deployment):
        labels = body["metadata"]["labels"]
        assert {label for label in labels if not label.startswith("gitopsd.io/")} == {"team"}
        managers = {entry["manager"] for entry in body["metadata"]["managedFields"] if "subresource" not in entry}
        assert managers <= {"gitopsd", "injector", "kube-controller-manager"}


async def prepared(world: World, tools: Collection[str]) -> dict[str, str]:
    """The namespace of each tool's objects, with what Git says of them committed as an app of the tool's name."""
    namespaces = {tool: f"test-{uuid4().hex[:8]}" for tool in tools}
    for tool, namespace in namespaces.items():
        await left_behind(world, tool, namespace)
    files = {f"{tool}/all.yaml": IN_GIT.replace("NAMESPACE", namespace) for tool, namespace in namespaces.items()}
    world.repository.commit(files)
    return namespaces


async def test_what_tools_left_behind_is_refused_by_name_and_taken_over_in_one_step_when_asked_to(
    either: World,
) -> None:
    namespaces = await prepared(either, TOOLS)
    either.declare(*(kustomization(tool) for tool in TOOLS))
    outcomes = await either.once()
    for tool, namespace in namespaces.items():
        outcome, bodies = outcomes[app_ref(tool)], await found(either, namespace)
        if by_kubectl(tool):
            assert outcome.changed == {Action.ADOPT: 2}, outcome.message
            assert_taken_over(*bodies)
        else:
            assert outcome.phase is Phase.STALLED, tool
            assert f"it is managed by {ENGINES[tool.partition('-')[0]]}" in outcome.message
            assert is_as_recorded(*bodies), tool
    either.declare(*(kustomization(tool, annotations='{gitopsd.io/adopt: "true"}') for tool in TOOLS))
    outcomes = await either.once()
    for tool, namespace in namespaces.items():
        outcome = outcomes[app_ref(tool)]
        assert outcome.changed == ({} if by_kubectl(tool) else {Action.ADOPT: 2}), (tool, outcome.message)
        assert_taken_over(*await found(either, namespace))
    assert {outcome.changed.get(Action.UPDATE, 0) for outcome in (await either.once()).values()} == {0}
    for namespace in namespaces.values():
        await either.send("DELETE", f"/api/v1/namespaces/{namespace}")


async def test_a_setting_takes_all_over(either: World) -> None:
    namespaces = await prepared(either, ("argocd-client", "helm4-server"))
    either.settings += "  adopt: always\n"
    either.declare(*(kustomization(tool) for tool in namespaces))
    outcomes = await either.once()
    for tool, namespace in namespaces.items():
        assert outcomes[app_ref(tool)].changed == {Action.ADOPT: 2}, outcomes[app_ref(tool)].message
        assert_taken_over(*await found(either, namespace))
        await either.send("DELETE", f"/api/v1/namespaces/{namespace}")


async def test_a_setting_takes_nothing_over_not_even_from_kubectl(either: World) -> None:
    namespaces = await prepared(either, ("kubectl-client", "argocd-server"))
    either.settings += "  adopt: never\n"
    either.declare(*(kustomization(tool) for tool in namespaces))
    outcomes = await either.once()
    for tool, namespace in namespaces.items():
        assert outcomes[app_ref(tool)].phase is Phase.STALLED
        assert is_as_recorded(*await found(either, namespace)), tool
        await either.send("DELETE", f"/api/v1/namespaces/{namespace}")

"""Imported configurations reconcile on the sandbox, acting as the extension's account and with its rights only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes.git_server import http_server
from fakes.world import World

from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Phase
from gitopsd.plugin.imports import Import, written
from gitopsd_plugins.aks import inputs, objects
from gitopsd_plugins.aks.inputs import Given
from gitopsd_plugins.argocd import command

pytestmark = pytest.mark.asyncio

INPUTS = Path(__file__).parents[1] / "plugins" / "aks" / "inputs"
FOLDER = "Automate AKS Deployments with the Flux CD Extension"
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
}


def imported(file: str, url: str, **settled: Any) -> Import:
    given = Given(settled={"gitRepository.url": url, **settled})
    return objects.made(inputs.read((INPUTS / file).read_text(), file=file, folder=INPUTS, given=given), tenancy=True)


async def prepared(world: World, found: Import) -> None:
    """Declare what was imported; what the cluster must have first is applied by somebody else, as by kubectl."""
    world.declare(written.as_yaml([it for it in found.objects if it.declared]), source="")
    for it in found.objects:
        if not it.declared and await world.get(f"{PATHS[it.id.kind]}/{it.id.name}".format(it.id.namespace)) is None:
            await world.send("POST", PATHS[it.id.kind].format(it.id.namespace), dict(it.body))


async def test_the_youtube_commands_reconcile(world: World) -> None:
    config_map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: demo-app, namespace: demo}\ndata: {a: b}\n"
    world.repository.commit(
        {
            f"{FOLDER}/Infrastructure/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: demo}\n",
            f"{FOLDER}/Infrastructure/kustomization.yaml": "resources: [namespace.yaml]\n",
            f"{FOLDER}/App/demo-app.yml": config_map,
            f"{FOLDER}/App/kustomization.yaml": "resources: [demo-app.yml]\n",
        },
        branch="gitops-youtube",
    )
    with http_server(world.repository.path) as server:
        await prepared(world, imported("youtube.ps1", server.url))
        outcomes = await world.once()
    assert {str(ref): outcome.phase for ref, outcome in outcomes.items()} == {
        "GitRepository/aks-gitops-flux/gitopsoperator": Phase.READY,
        "Kustomization/aks-gitops-flux/gitopsoperator-infrastructure": Phase.READY,
        "Kustomization/aks-gitops-flux/gitopsoperator-app": Phase.READY,
    }
    assert await world.get("/api/v1/namespaces/demo/configmaps/demo-app") is not None
    account = "system:serviceaccount:aks-gitops-flux:flux-applier"
    writers = {r.user for r in world.asked("PATCH") if "configmaps/demo-app" in r.path}
    assert writers == {account}


async def test_aks_baseline_reconciles(world: World) -> None:
    manifests = "apiVersion: v1\nkind: Namespace\nmetadata: {name: cluster-baseline-settings}\n"
    world.repository.commit({"cluster-manifests/namespace.yaml": manifests})
    with http_server(world.repository.path) as server:
        await prepared(world, imported("aks-baseline.bicep", server.url))
        outcomes = await world.once()
    app = ObjectRef(kind="Kustomization", namespace="flux-system", name="bootstrap-unified")
    assert (outcomes[app].phase, outcomes[app].message) == (Phase.READY, outcomes[app].message)
    assert await world.get("/api/v1/namespaces/cluster-baseline-settings") is not None


async def test_scope_namespace_cannot_make_a_namespace(world: World) -> None:
    world.repository.commit(
        {"cluster-manifests/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: no}\n"}
    )
    with http_server(world.repository.path) as server:
        await prepared(world, imported("aks-baseline.bicep", server.url, scope="namespace"))
        outcomes = await world.once()
    app = ObjectRef(kind="Kustomization", namespace="flux-system", name="bootstrap-unified")
    assert outcomes[app].phase is not Phase.READY
    assert "flux-applier" in outcomes[app].message
    assert await world.get("/api/v1/namespaces/no") is None


async def test_an_application_of_argo_cd_reconciles(world: World) -> None:
    world.repository.commit({"web/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {a: b}\n"})
    with http_server(world.repository.path) as server:
        application = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "web", "namespace": "argocd"},
            "spec": {
                "source": {"repoURL": server.url, "path": "web", "targetRevision": "main"},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": "default"},
                "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
            },
        }
        found = command.made([application], namespace="flux-system", head="main")
        world.declare(written.as_yaml(found.objects), source="")
        outcomes = await world.once()
    assert {outcome.phase for outcome in outcomes.values()} == {Phase.READY}
    assert await world.get("/api/v1/namespaces/default/configmaps/web") is not None

"""Imports from a live cluster: it is read and never written, and what is printed is what gitopsd then declares."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from click.testing import CliRunner, Result
from fakes.world import World

from gitopsd.cli.main import gitopsd
from gitopsd.plugin import yaml
from gitopsd.plugin.conformance.scene import eventually

pytestmark = pytest.mark.asyncio

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
OWNER = "kustomize.toolkit.fluxcd.io"


def definition(group: str, kind: str, version: str = "v1") -> dict[str, Any]:
    plural = f"{kind.lower()}s".replace("repositorys", "repositories")
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }


async def established(world: World, group: str, kind: str, version: str = "v1") -> str:
    """Define a kind and answer with the path of its objects in flux-system."""
    made = definition(group, kind, version)
    await world.send("POST", CRDS, made)
    path = f"/apis/{group}/{version}/namespaces/flux-system/{made['spec']['names']['plural']}"

    async def served() -> bool:
        return await world.get(path) is not None

    await eventually(served)
    return path


async def run(world: World, *args: str) -> Result:
    """The verb as its users start it, in a thread, since it brings an event loop of its own."""
    kubeconfig = world.folder / "kubeconfig"
    kubeconfig.write_text(world.running.kubeconfig())
    words = ["import", *args, "--kubeconfig", str(kubeconfig), "--context", "sandbox"]
    return await anyio.to_thread.run_sync(lambda: CliRunner().invoke(gitopsd, words, prog_name="gitopsd"))


async def with_flux(world: World) -> None:
    await world.send("POST", "/api/v1/namespaces", {"metadata": {"name": "flux-system"}})
    sources = await established(world, "source.toolkit.fluxcd.io", "GitRepository")
    apps = await established(world, "kustomize.toolkit.fluxcd.io", "Kustomization")
    api = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository"}
    spec = {"url": "https://github.com/o/r", "interval": "1m", "ref": {"branch": "main"}, "secretRef": {"name": "git"}}
    await world.send("POST", sources, {**api, "metadata": {"name": "repo"}, "spec": spec})
    api = {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization"}
    spec = {"interval": "5m", "prune": True, "path": "./web", "sourceRef": {"kind": "GitRepository", "name": "repo"}}
    child = {"name": "child", "labels": {f"{OWNER}/name": "web", f"{OWNER}/namespace": "flux-system"}}
    for metadata in ({"name": "web"}, child):
        await world.send("POST", apps, {**api, "metadata": metadata, "spec": spec, "status": {"ready": True}})
    secret = {"metadata": {"name": "git"}, "data": {"password": "c2VzYW1l"}}
    await world.send("POST", "/api/v1/namespaces/flux-system/secrets", secret)


async def test_the_flux_objects_of_a_cluster_are_printed_without_what_comes_with_them(world: World) -> None:
    await with_flux(world)
    ended = await run(world, "flux")
    assert ended.exit_code == 0, ended.output
    found = [document.value for document in yaml.read_all(ended.stdout.encode())]
    assert [(it["kind"], it["metadata"]["name"]) for it in found] == [
        ("GitRepository", "repo"),
        ("Kustomization", "web"),
    ]
    assert all("status" not in it and "uid" not in it["metadata"] for it in found)
    assert "provide: Secret/flux-system/git" in ended.stderr
    assert "1 objects that a Kustomization applies" in ended.stderr
    assert "sesame" not in ended.output
    assert [r.method for r in world.asked() if r.method not in {"GET"}] == []


async def test_an_import_of_a_cluster_differs_from_it_in_nothing(world: World) -> None:
    await with_flux(world)
    ended = await run(world, "flux", "--check")
    assert (ended.exit_code, ended.stdout) == (0, "")
    assert "no difference in 2 objects" in ended.stderr


async def test_the_secrets_that_are_named_can_be_brought_along(world: World) -> None:
    await with_flux(world)
    file = world.folder / "secrets.yaml"
    ended = await run(world, "flux", "--secrets-out", str(file))
    assert ended.exit_code == 0, ended.output
    [secret] = [document.value for document in yaml.read_all(file.read_bytes())]
    assert secret["data"] == {"password": "c2VzYW1l"}
    assert "provide:" not in ended.stderr


async def test_a_cluster_without_flux_has_nothing_to_import(world: World) -> None:
    ended = await run(world, "flux")
    assert ended.exit_code == 1
    assert "holds no Flux object" in ended.stderr


async def test_applications_of_a_cluster_are_imported(world: World) -> None:
    await world.send("POST", "/api/v1/namespaces", {"metadata": {"name": "flux-system"}})
    apps = await established(world, "argoproj.io", "Application", "v1alpha1")
    source = {"repoURL": "https://github.com/o/r", "path": "web", "targetRevision": "main"}
    api = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application"}
    await world.send("POST", apps, {**api, "metadata": {"name": "web"}, "spec": {"source": source, "destination": {}}})
    ended = await run(world, "argocd")
    assert ended.exit_code == 0, ended.output
    found = [document.value for document in yaml.read_all(ended.stdout.encode())]
    assert [it["kind"] for it in found] == ["GitRepository", "Kustomization"]
    assert found[1]["spec"]["path"] == "./web"

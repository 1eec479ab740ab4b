"""Every example is reconciled: its apps become ready, its clusters hold what it says, and a second run writes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fakes.git_repository import GitRepository
from fakes.git_server import SshServer, ssh_server

from gitopsd.cli.main import gitopsd
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Outcome, Phase

PODINFO = {"Deployment/default/podinfo", "Service/default/podinfo", "HorizontalPodAutoscaler/default/podinfo"}
PRIVATE = {"Namespace/private", "ConfigMap/private/settings"}
APPLIED = {
    "one-app": {"try-out": PODINFO},
    "classic-tutorial": {"try-out": PODINFO},
    "several-clusters": {"staging": PODINFO, "production": PODINFO},
    "infra-then-apps": {
        "try-out": {"Namespace/infra", "Deployment/infra/gateway", "Namespace/web", "ConfigMap/web/web"}
    },
    "base-overlays": {
        "try-out": {
            *("Namespace/shop-staging", "Deployment/shop-staging/shop", "Service/shop-staging/shop"),
            "ConfigMap/shop-staging/shop-k6cm94h6ch",
            *("Namespace/shop-production", "Deployment/shop-production/shop", "Service/shop-production/shop"),
            "ConfigMap/shop-production/shop-k6cm94h6ch",
        }
    },
    "private-ssh": {"try-out": PRIVATE},
    "oci-artifact": {"try-out": PODINFO},
}
ORDER = {
    "infra-then-apps": ["infra", "apps"],
    "base-overlays": ["shop-staging", "shop-production"],
    "several-clusters": ["podinfo-staging", "podinfo-production"],
}
"""What depends on another comes after it."""
Open = Callable[[str], AbstractAsyncContextManager[Any]]


def not_ready(outcomes: Mapping[ObjectRef, Outcome]) -> dict[str, str]:
    return {str(ref): outcome.message for ref, outcome in outcomes.items() if outcome.phase is not Phase.READY}


def order(outcomes: Mapping[ObjectRef, Outcome]) -> list[str]:
    """The apps in the order in which they were done."""
    apps = [outcome for ref, outcome in outcomes.items() if ref.kind == "Kustomization"]
    return [outcome.ref.name for outcome in sorted(apps, key=lambda outcome: outcome.finished)]


def test_every_example_is_reconciled_here():
    folder = Path(__file__).parents[2] / "config" / "examples"
    assert APPLIED.keys() == {path.name for path in folder.iterdir() if path.is_dir()}


@pytest.mark.parametrize("name", APPLIED)
@pytest.mark.asyncio
async def test_an_example_applies_what_it_says_and_a_second_run_writes_nothing(opened: Open, name: str):
    async with opened(name) as example:
        first = await example.once()
        assert not_ready(first) == {}
        assert order(first) == ORDER.get(name, order(first))
        assert example.applied() == APPLIED[name]
        for running in example.clusters.values():
            running.journal.clear()
        second = await example.once()
        assert not_ready(second) == {}
        assert [outcome.ref for outcome in second.values() if outcome.changed] == []
        assert example.writes() == []


@pytest.mark.asyncio
async def test_production_follows_the_released_tag_with_its_own_patches(opened: Open):
    async with opened("base-overlays") as example:
        outcomes = await example.once()
        released = ObjectRef(kind="GitRepository", namespace="flux-system", name="fleet-released")
        assert str(outcomes[released].attempted).startswith("v1.0.0@sha1:")
        deployments = {
            stored.body["metadata"]["namespace"]: stored.body["spec"]
            for stored in example.clusters["try-out"].cluster.store.by_uid.values()
            if stored.body["kind"] == "Deployment"
        }
    staging, production = deployments["shop-staging"], deployments["shop-production"]
    [container] = production["template"]["spec"]["containers"]
    assert (staging["replicas"], production["replicas"]) == (1, 3)
    assert container["resources"]["limits"] == {"memory": "256Mi"}
    assert staging["template"]["spec"]["containers"][0]["image"].endswith(":6.7.1")


# --- the way of the command line, on the sandbox that --sandbox starts ------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", APPLIED)
def test_check_finds_nothing_wrong_and_reconcile_ends_well(name: str, prepared: Callable[[str], Any]):
    options = ["--sandbox", *(word for path in prepared(name).paths() for word in ("-c", str(path)))]
    checked = CliRunner().invoke(gitopsd, ["check", *options])
    assert (checked.exit_code, "✗" in checked.output) == (0, False), checked.output
    for _ in range(2):
        done = CliRunner().invoke(gitopsd, ["reconcile", "--once", *options])
        assert done.exit_code == 0, done.output


# --- the private repository as it is told: over ssh, with a key that gitopsd finds by itself -------------------------


def as_document(server: SshServer, example: Any) -> None:
    """A Secret among the declared files."""
    text = {"identity": server.identity, "known_hosts": server.known_hosts}
    metadata = {"name": "deploy-key", "namespace": "flux-system"}
    example.extra.append({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": text})


def as_folder(server: SshServer, example: Any) -> None:
    """Files in secrets.d beside the example."""
    example.folder = shutil.copytree(example.folder, example.work / "example")
    folder = example.folder / "secrets.d" / "deploy-key"
    folder.mkdir(parents=True)
    (folder / "identity").write_text(server.identity)
    (folder / "known_hosts").write_text(server.known_hosts)


def as_credentials(server: SshServer, example: Any) -> None:
    """systemd's credentials."""
    folder = example.work / "credentials"
    folder.mkdir()
    (folder / "deploy-key_identity").write_text(server.identity)
    (folder / "deploy-key_known_hosts").write_text(server.known_hosts)
    example.environment["CREDENTIALS_DIRECTORY"] = str(folder)


@pytest.mark.parametrize("given", [as_document, as_folder, as_credentials])
@pytest.mark.asyncio
async def test_the_private_repository_is_read_with_a_key_from_each_place_that_the_example_names(
    opened: Open, repository: Callable[[str], GitRepository], given: Callable[[SshServer, Any], None]
):
    with ssh_server(repository("private-ssh").path) as server:
        async with opened("private-ssh") as example:
            example.url, example.secret = server.url, "deploy-key"
            given(server, example)
            assert not_ready(await example.once()) == {}
            assert example.applied() == {"try-out": PRIVATE}


@pytest.mark.asyncio
async def test_without_the_key_the_private_repository_names_every_place_that_was_looked_at(
    opened: Open, repository: Callable[[str], GitRepository]
):
    with ssh_server(repository("private-ssh").path) as server:
        async with opened("private-ssh") as example:
            example.url, example.secret = server.url, "deploy-key"
            outcomes = await example.once()
    source = ObjectRef(kind="GitRepository", namespace="flux-system", name="private")
    app = ObjectRef(kind="Kustomization", namespace="flux-system", name="private")
    assert "deploy-key" in outcomes[source].message
    assert "secrets.d" in outcomes[source].message
    assert outcomes[app].phase is not Phase.READY
    assert server.commands == []

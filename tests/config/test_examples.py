"""Every example loads with the plugins that are built in, and shows what it says. Reconciling them is another test."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gitopsd.config import documents, home
from gitopsd.plugin import AppIntent, HealthCheck, ObjectRef, ResourceId, registry

FOLDER = Path(__file__).parents[2] / "config" / "examples"
EXAMPLES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())


def paths(name):
    """What a user names with -c: the file where the repository's content lies beside it, else the folder."""
    folder = FOLDER / name
    return [folder / "gitopsd.yaml" if (folder / "repository").exists() else folder]


@dataclass
class Way:
    """A way to reach a cluster that nobody goes here."""

    name: str

    def open(self, cluster: str, spec: Any, ctx: Any) -> AbstractAsyncContextManager[Any]:
        raise NotImplementedError


@pytest.fixture(scope="module")
def builtin():
    found = registry.load()
    return replace(found, accesses={"sandbox": Way("sandbox"), **found.accesses})


@pytest.fixture
def load(builtin):
    return lambda name: home.declare(documents.gather(paths(name)), builtin)


def app(declared, name):
    intent = declared.intents[ObjectRef(kind="Kustomization", namespace="flux-system", name=name)]
    assert isinstance(intent, AppIntent)
    return intent


def test_the_examples_are_those_that_the_documentation_promises():
    assert EXAMPLES == [
        "base-overlays",
        "classic-tutorial",
        "infra-then-apps",
        "oci-artifact",
        "one-app",
        "private-ssh",
        "several-clusters",
    ]


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_file_says_first_what_it_shows(name):
    for file in (FOLDER / name).glob("*.yaml"):
        assert file.read_text().startswith("# "), file


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_declares_a_source_an_app_and_a_cluster(load, name):
    declared = load(name)
    kinds = {ref.kind for ref in declared.objects}
    assert kinds in ({"GitRepository", "Kustomization"}, {"OCIRepository", "Kustomization"})
    assert declared.clusters
    assert declared.warnings == ()
    assert [intent.unsupported for intent in declared.intents.values() if intent.unsupported] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_paths_of_the_apps_are_there_where_the_repository_lies_beside(load, name):
    repository = FOLDER / name / "repository"
    if repository.exists():
        for intent in load(name).intents.values():
            if isinstance(intent, AppIntent):
                assert (repository / intent.spec["path"]).is_dir()


def test_a_second_c_replaces_the_repository(builtin, tmp_path):
    local = tmp_path / "local.yaml"
    local.write_text(
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: podinfo}\n"
        f"spec: {{url: 'file://{tmp_path}', interval: 1m}}\n"
    )
    declared = home.declare(documents.gather([*paths("one-app"), local]), builtin)
    [source] = [ref for ref in declared.objects if ref.kind == "GitRepository"]
    assert declared.objects[source].place.file == str(local)


def test_the_classic_tutorial_is_taken_with_a_warning_and_its_health_check(load):
    intent = app(load("classic-tutorial"), "podinfo")
    assert intent.health_checks == (
        HealthCheck(id=ResourceId(group="apps", kind="Deployment", namespace="default", name="podinfo"), version="v1"),
    )
    assert any("validation" in warning for warning in intent.warnings)


def test_the_apps_wait_for_what_they_need(load):
    assert [ref.name for ref in app(load("infra-then-apps"), "apps").depends_on] == ["infra"]
    assert [ref.name for ref in app(load("several-clusters"), "podinfo-production").depends_on] == ["podinfo-staging"]


def test_each_app_of_several_clusters_chooses_its_own(load):
    declared = load("several-clusters")
    assert app(declared, "podinfo-production").cluster == "production"
    assert declared.clusters["production"].spec == {
        "path": str(FOLDER / "several-clusters" / "kubeconfig"),
        "context": "production",
    }

"""A plugin from elsewhere is installed with pip and used like a built-in one; a broken one is named and stops nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

STRANGER = Path(__file__).parents[1] / "fakes" / "stranger"
CONFIG = """
apiVersion: source.extensions.fluxcd.io/v1
kind: ArtifactGenerator
metadata: {name: words}
spec:
  files:
    app/hello.yaml: |
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: hello, namespace: default}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: app}
spec: {interval: 1h, path: ./app, prune: true, sourceRef: {kind: ArtifactGenerator, name: words}}
"""
OWN = CONFIG.replace("source.extensions.fluxcd.io", "literal.example.org").replace("ArtifactGenerator", "Literal")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugin installed in it, by pip and without a network."""
    folder = tmp_path_factory.mktemp("site")
    package = shutil.copytree(STRANGER, tmp_path_factory.mktemp("package") / "stranger")
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--no-compile", "--disable-pip-version-check", "-q"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(folder), str(package)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PIP_NO_INPUT": "1"})
    return folder


def gitopsd(site: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_STATE_HOME": str(folder)}
    environment |= {"XDG_RUNTIME_DIR": str(folder), "STATE_DIRECTORY": str(folder / "state"), "PYTHONPATH": str(site)}
    environment["RUNTIME_DIRECTORY"] = str(folder / "run")
    command = [sys.executable, "-m", "gitopsd", *words]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=50, check=False)


def test_a_plugin_that_pip_installed_is_listed_with_what_it_offers(site: Path, tmp_path: Path) -> None:
    found = gitopsd(site, tmp_path, "plugins", "-o", "json")
    rows = {row["name"]: row for row in json.loads(found.stdout)}
    assert (rows["literal"]["distribution"], rows["literal"]["version"]) == ("gitopsd-literal", "1.2.3")
    assert rows["literal"]["state"] == "loaded"
    assert rows["literal"]["offers"]["sources"] == ["Literal", "ArtifactGenerator"]


@pytest.mark.parametrize("kind", ["ArtifactGenerator", "Literal"])
def test_a_strangers_source_feeds_an_app(site: Path, tmp_path: Path, kind: str) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG if kind == "ArtifactGenerator" else OWN)
    done = gitopsd(site, tmp_path, "reconcile", "--once", "-c", "config.yaml", "--sandbox", "-o", "json")
    assert done.returncode == 0, done.stderr
    statuses = {document["kind"]: document["status"] for document in json.loads(done.stdout)}
    for status in statuses.values():
        assert [c["status"] for c in status["conditions"] if c["type"] == "Ready"] == ["True"]
    assert statuses["Kustomization"]["inventory"]["entries"] == [{"id": "default_hello__ConfigMap", "v": "v1"}]


def test_without_the_plugin_its_objects_are_listed_as_not_served(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.split("---")[0])
    done = gitopsd(tmp_path / "nothing", tmp_path, "reconcile", "--once", "-c", "config.yaml", "--sandbox")
    assert done.returncode == 0
    assert "not served yet" in done.stdout


def test_a_kind_that_is_misspelt_as_a_source_is_named_with_its_line(site: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(OWN.replace("sourceRef: {kind: Literal", "sourceRef: {kind: Litteral"))
    done = gitopsd(site, tmp_path, "check", "-c", "config.yaml", "--sandbox")
    assert done.returncode == 2
    assert (
        "config.yaml:15: Kustomization/flux-system/app: $.spec.sourceRef.kind: no plugin serves 'Litteral'"
        in done.stderr
    )
    assert "did you mean 'Literal'? (known: ArtifactGenerator, Bucket, ExternalArtifact" in done.stderr


def test_a_plugin_that_does_not_import_is_named_and_stops_nothing_else(site: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(site, tmp_path / "site")
    (broken / "gitopsd_literal.py").write_text("import no_such_module\n")
    found = gitopsd(broken, tmp_path, "plugins", "-o", "json")
    rows = {row["name"]: row for row in json.loads(found.stdout)}
    assert rows["literal"]["state"] == "failed"
    assert "no_such_module" in rows["literal"]["error"]
    assert rows["kustomize"]["state"] == "loaded"

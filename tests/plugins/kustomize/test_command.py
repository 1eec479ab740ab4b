"""`gitopsd build kustomization DIR` as a user runs it; beside the real binary where it is on PATH or named by KUSTOMIZE."""

import os
import re
import shutil
import subprocess
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from click.testing import CliRunner

from gitopsd.plugin import yaml
from gitopsd_plugins.kustomize.command import kustomization

BINARY = os.environ.get("KUSTOMIZE") or shutil.which("kustomize")


@pytest.fixture
def folder(tmp_path):
    base = tmp_path / "a base"
    overlay = tmp_path / "over lay"
    base.mkdir()
    overlay.mkdir()
    (base / "kustomization.yaml").write_text("configMapGenerator: [{name: c, literals: [a=yes, b=2]}]\n")
    (overlay / "kustomization.yaml").write_text("namePrefix: p-\nresources: ['../a base']\ncommonLabels: {x: 'true'}\n")
    return overlay


def run(*args):
    return CliRunner().invoke(kustomization, [str(a) for a in args])


def test_it_prints_the_objects_and_warns_on_the_error_output(folder):
    result = run(folder)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:4] == ["apiVersion: v1", "data:", '  a: "yes"', '  b: "2"']
    assert "'commonLabels' is deprecated" in result.stderr


def test_an_error_is_one_message_and_exit_code_1(folder):
    (folder / "kustomization.yaml").write_text("resources: [nothing.yaml]\n")
    result = run(folder)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    assert result.stderr.rstrip().endswith("nothing.yaml: no such file or folder")


def test_files_elsewhere_need_the_option(folder):
    (folder.parent / "s.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\n")
    (folder / "kustomization.yaml").write_text("resources: [../s.yaml]\n")
    assert "not in or below" in run(folder).stderr
    assert run(folder, "--load-restrictor", "none").exit_code == 0


def test_the_command_line_finds_it_by_its_entry_point():
    (found,) = [e for e in entry_points(group="gitopsd.commands.build") if e.name == "kustomization"]
    assert found.load() is kustomization


@pytest.mark.skipif(not BINARY, reason="no kustomize binary")
def test_the_binary_prints_the_same(folder):
    theirs = subprocess.run([BINARY, "build", folder], check=True, capture_output=True, text=True).stdout
    assert yaml.read_all(run(folder).stdout) == yaml.read_all(theirs)
    assert run(folder).stdout == theirs


def test_the_page_s_example_builds_and_prints(folder, monkeypatch, capsys):
    page = (Path(__file__).parents[3] / "docs" / "kustomize.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(folder.parent)
    exec(code.replace("overlays/production", "over lay"), {})
    assert capsys.readouterr().out.startswith("ConfigMap p-c-")

"""Made-up trees built beside the real binary, where it is on PATH or named by KUSTOMIZE: equal bytes, or both refuse.

GITOPSD_EXAMPLES says how many trees; the default keeps the suite quick.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from fakes import overlays
from hypothesis import HealthCheck, given, settings

from gitopsd.plugin import GitopsdError, Tree, yaml
from gitopsd.plugin.folder import LocalFolder
from gitopsd_plugins.kustomize import build

BINARY = os.environ.get("KUSTOMIZE") or shutil.which("kustomize")
EXAMPLES = int(os.environ.get("GITOPSD_EXAMPLES", "40"))


def ours(folder: Path) -> str | None:
    source = LocalFolder(folder)
    try:
        built = build.build(Tree(source, source.root))
    except GitopsdError:
        return None
    return yaml.print_all(resource.body for resource in built.resources)


def theirs(folder: Path) -> str | None:
    done = subprocess.run([str(BINARY), "build", str(folder)], check=False, capture_output=True, text=True)
    return None if done.returncode else done.stdout


def written(files: overlays.Files, folder: Path) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


@pytest.mark.skipif(not BINARY, reason="no kustomize binary")
@pytest.mark.slow
@pytest.mark.timeout(0)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(overlays.trees())
def test_a_made_up_tree_builds_as_with_the_binary(files):
    with tempfile.TemporaryDirectory() as folder:
        root = written(files, Path(folder))
        assert ours(root) == theirs(root)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(overlays.trees())
def test_a_made_up_tree_is_built_or_refused(files):
    with tempfile.TemporaryDirectory() as folder:
        built = ours(written(files, Path(folder)))
    assert built is None or yaml.read_all(built) is not None

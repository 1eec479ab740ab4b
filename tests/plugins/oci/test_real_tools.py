"""The same artifacts and signatures as the tools that people use make and read; a tool that is not there is named in a skip."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import urllib.request

import anyio
import pytest
from click.testing import CliRunner
from fakes.registry import IMAGE

from gitopsd_plugins.oci.command import pull, push

FILES = {"a.yaml": b"a: 1\n", "deploy/b.yaml": b"b: 2\n", "deploy/run.sh": b"#!/bin/sh\n"}
ORIGIN = ("--source", "https://git.example.org/team/app", "--revision", "main@sha1:abc")


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "content"
    for name, data in FILES.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(data)
    return made


def run(command, *words):
    done = CliRunner().invoke(command, ["artifact", *map(str, words)])
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_flux_pulls_what_is_pushed_here(running, folder, tool, tmp_path):
    pushed = run(push, f"{running.url}:v1", "--path", folder, *ORIGIN)
    (tmp_path / "out").mkdir()

    tool("flux", "pull", "artifact", f"{running.url}:v1", "--output", tmp_path / "out")
    listed = tool("flux", "list", "artifacts", running.url)

    assert contents(tmp_path / "out") == FILES
    assert pushed.partition("@")[2] in listed
    assert "main@sha1:abc" in listed


def test_layer_is_the_one_that_flux_makes(running, folder, tool):
    (folder / "deploy/run.sh").chmod(0o755)
    for name in ("empty", "deploy-more"):
        (folder / name).mkdir()
    words = (f"{running.url}:v1", "--path", folder, *ORIGIN, "--reproducible")
    tool("flux", "push", "artifact", *words)
    theirs = entries(running)

    run(push, *words)

    assert entries(running) == theirs


def entries(running):
    """Type of the layer, annotations, and all that tar says of what is in it."""
    base = f"http://{running.host}/v2/team/app"
    wanted = urllib.request.Request(f"{base}/manifests/v1", headers={"Accept": IMAGE})
    with urllib.request.urlopen(wanted) as response:
        manifest = json.load(response)
    [layer] = manifest["layers"]
    with urllib.request.urlopen(f"{base}/blobs/{layer['digest']}") as response:
        data = io.BytesIO(response.read())
    with tarfile.open(fileobj=data) as opened:
        inside = [(i.name, i.mode, i.type, i.size, i.uid, i.gid, i.uname, i.mtime) for i in opened]
    return layer["mediaType"], manifest["config"]["mediaType"], manifest["annotations"], inside


def test_what_flux_pushes_is_pulled_here(running, folder, tool, tmp_path):
    tool("flux", "push", "artifact", f"{running.url}:v1", "--path", folder, *ORIGIN)

    run(pull, f"{running.url}:v1", "--output", tmp_path / "out")

    assert contents(tmp_path / "out") == FILES


def test_what_flux_pushes_is_a_source(running, folder, tool, world, read):
    tool("flux", "push", "artifact", f"{running.url}:1.2.3", "--path", folder, *ORIGIN)

    revision, stored = anyio.run(world.sync, read(url=running.url, ref={"semver": "^1"}))

    assert revision.name == "1.2.3"
    assert world.contents(stored.tree) == FILES
    assert stored.metadata["org.opencontainers.image.revision"] == "main@sha1:abc"


def test_what_oras_pushes_is_a_source(running, folder, tool, world, read, tmp_path):
    subprocess.run(["tar", "-czf", tmp_path / "layer.tar.gz", "-C", folder, "."], check=True)
    tool("oras", "push", "--plain-http", f"{running.url[6:]}:v1", "layer.tar.gz:application/x-content.tar+gzip")

    _, stored = anyio.run(world.sync, read(url=running.url, ref={"tag": "v1"}))

    assert world.contents(stored.tree) == FILES


def test_oras_reads_what_is_pushed_here(running, folder, tool, tmp_path):
    pushed = run(push, f"{running.url}:v1", "--path", folder, *ORIGIN)

    resolved = tool("oras", "resolve", "--plain-http", f"{running.url[6:]}:v1")
    tool("oras", "copy", "--from-plain-http", "--to-oci-layout", f"{running.url[6:]}:v1", f"{tmp_path / 'layout'}:v1")

    assert resolved.strip() == pushed.partition("@")[2]

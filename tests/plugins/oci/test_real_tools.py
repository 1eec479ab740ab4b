"""The same artifacts and signatures as the tools that people use make and read; a tool that is not there is named in a skip."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
import urllib.request

import anyio
import pytest
from click.testing import CliRunner
from fakes.docker_registry import docker_registry
from fakes.registry import IMAGE

from gitopsd.plugin import VerificationFailed
from gitopsd_plugins.oci.command import pull, push

FILES = {"a.yaml": b"a: 1\n", "deploy/b.yaml": b"b: 2\n", "deploy/run.sh": b"#!/bin/sh\n"}
ORIGIN = ("--source", "https://git.example.org/team/app", "--revision", "main@sha1:abc")


@pytest.fixture
def running(tmp_path):
    (tmp_path / "registry").mkdir()
    with docker_registry(tmp_path / "registry") as found:
        yield found


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "content"
    for name, data in FILES.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(data)
    return made


@pytest.fixture
def tool(tmp_path):
    """Runs a program; skips where it is not installed."""

    def run(name, *words):
        program = shutil.which(name)
        if program is None:
            pytest.skip(f"{name} is not installed")
        environment = {**os.environ, "HOME": str(tmp_path), "COSIGN_PASSWORD": "", "DOCKER_CONFIG": str(tmp_path)}
        done = subprocess.run(
            [program, *map(str, words)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def sign(tool, tmp_path):
    """Signs by a key that cosign made."""

    def signed(digest_url, *options):
        if not (tmp_path / "cosign.pub").exists():
            tool("cosign", "generate-key-pair")
        where = digest_url.removeprefix("oci://")
        key = ("--key", tmp_path / "cosign.key", "--allow-http-registry", "--tlog-upload=false", "--yes")
        tool("cosign", "sign", *key, *options, where)
        return (tmp_path / "cosign.pub").read_bytes()

    return signed


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


FORMS = {
    "tag": (),
    "bundle": ("--new-bundle-format",),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_cosign_signs_is_good(running, folder, sign, tool, world, read, form):
    url = run(push, f"{running.url}:latest", "--path", folder, *ORIGIN)
    world.secrets.data["keys"] = {"cosign.pub": sign(url, *FORMS[form])}

    _, stored = anyio.run(world.sync, read(url=running.url, verify={"secretRef": {"name": "keys"}}))

    assert world.contents(stored.tree) == FILES


@pytest.mark.parametrize("form", FORMS)
def test_what_cosign_signed_does_not_vouch_for_what_came_later(running, folder, sign, world, read, form):
    url = run(push, f"{running.url}:latest", "--path", folder, *ORIGIN)
    world.secrets.data["keys"] = {"cosign.pub": sign(url, *FORMS[form])}
    (folder / "a.yaml").write_text("changed: true\n")
    run(push, f"{running.url}:latest", "--path", folder, *ORIGIN)

    with pytest.raises(VerificationFailed, match="is not signed"):
        anyio.run(world.sync, read(url=running.url, verify={"secretRef": {"name": "keys"}}))


def test_key_of_another_cosign_pair_is_none(running, folder, sign, tool, world, read, tmp_path):
    url = run(push, f"{running.url}:latest", "--path", folder, *ORIGIN)
    sign(url)
    tool("cosign", "generate-key-pair", "--output-key-prefix", "other")
    world.secrets.data["keys"] = {"other.pub": (tmp_path / "other.pub").read_bytes()}

    with pytest.raises(VerificationFailed, match="none of its 1 signatures"):
        anyio.run(world.sync, read(url=running.url, verify={"secretRef": {"name": "keys"}}))

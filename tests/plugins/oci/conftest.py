"""A registry, an OCI source beside it, and OCIRepository documents."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest
from fakes.docker_registry import docker_registry
from fakes.registry import Registry, serving
from fakes.registry_world import source_world

from gitopsd.plugin import Declared, Digest, ObjectRef, Place
from gitopsd_plugins.oci.kind import OCIRepository
from gitopsd_plugins.oci.source import OciSource

REF = ObjectRef(kind="OCIRepository", namespace="flux-system", name="app")


@pytest.fixture
def world(tmp_path):
    with source_world(tmp_path, OciSource()) as made:
        yield made


@pytest.fixture
def registry():
    with serving(Registry()) as running:
        yield running


def declared(spec):
    """An OCIRepository document; interval and url have defaults."""
    document = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "OCIRepository",
        "metadata": {"name": "app", "namespace": "flux-system"},
        "spec": {"url": "oci://registry.example.org/team/app", "interval": "1m", **spec},
    }
    return Declared(ref=REF, document=document, place=Place(file="a.yaml", line=1), spec=Digest("sha256:0"))


@pytest.fixture
def document():
    return declared


@pytest.fixture
def read(registry):
    """Reads a document with this spec; its url is the registry's."""
    return lambda spec=None, **fields: OCIRepository().read(declared({"url": registry.url, **(spec or {}), **fields}))


@pytest.fixture
def docker_config():
    """A Secret with a login for a host."""
    return lambda host, name, password: {
        ".dockerconfigjson": json.dumps({"auths": {host: {"username": name, "password": password}}}).encode()
    }


@pytest.fixture
def running(tmp_path):
    """A real registry."""
    (tmp_path / "registry").mkdir()
    with docker_registry(tmp_path / "registry") as found:
        yield found


@pytest.fixture
def tool(tmp_path):
    """Runs a program; skips where it is not installed. `fails`: it has to end with an error, which is returned."""

    def run(name, *words, fails=False):
        program = shutil.which(name)
        if program is None:
            pytest.skip(f"{name} is not installed")
        environment = {
            **os.environ,
            "HOME": str(tmp_path),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "COSIGN_PASSWORD": "",
            "DOCKER_CONFIG": str(tmp_path),
        }
        done = subprocess.run(
            [program, *map(str, words)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert (done.returncode != 0) is fails, done.stderr
        return done.stderr if fails else done.stdout

    return run

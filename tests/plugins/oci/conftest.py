"""A registry, an OCI source beside it, and OCIRepository documents."""

from __future__ import annotations

import json

import pytest
from fakes.registry import Registry, serving
from fakes.source_world import one_source

from gitopsd.plugin import Declared, Digest, ObjectRef, Place
from gitopsd_plugins.oci.kind import OCIRepository
from gitopsd_plugins.oci.source import OciSource

REF = ObjectRef(kind="OCIRepository", namespace="flux-system", name="app")


@pytest.fixture
def world(tmp_path):
    with one_source(tmp_path, OciSource()) as made:
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

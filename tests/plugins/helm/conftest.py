"""A static chart repository, a context over the real store, and documents of Helm's kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from fakes.source_world import SourceWorld, source_world
from fakes.web_server import Site, web_server

from gitopsd.plugin import Declared, Digest, ObjectRef, Place
from gitopsd_plugins.helm.repository_kind import HelmRepository


def declared(kind: str, spec: Mapping[str, Any], name: str = "charts") -> Declared:
    """A document of Flux's source group."""
    document = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "flux-system"},
        "spec": dict(spec),
    }
    ref = ObjectRef(kind=kind, namespace="flux-system", name=name)
    return Declared(ref=ref, document=document, place=Place(file="app.yaml", line=1), spec=Digest("sha256:0"))


@pytest.fixture
def repository():
    """Reads a HelmRepository with this spec."""
    return lambda name="charts", **spec: HelmRepository().read(
        declared("HelmRepository", {"url": "https://charts.example.org", "interval": "1m", **spec}, name)
    )


@pytest.fixture
def document():
    return declared


@pytest.fixture
def world(tmp_path) -> Iterator[SourceWorld]:
    with source_world(tmp_path) as found:
        yield found


@pytest.fixture
def site() -> Iterator[Site]:
    with web_server() as served:
        yield served

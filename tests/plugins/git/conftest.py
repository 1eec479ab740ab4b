"""A repository, a context over the real store, and GitRepository documents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from fakes import source_world
from fakes.git_repository import GitRepository
from fakes.source_world import one_source

from gitopsd.plugin import (
    Declared,
    Digest,
    ObjectRef,
    Place,
)
from gitopsd_plugins.git.kind import GitRepository as Kind
from gitopsd_plugins.git.source import GitSource

REF = ObjectRef(kind="GitRepository", namespace="flux-system", name="app")


@pytest.fixture
def world(tmp_path):
    with one_source(tmp_path, GitSource()) as made:
        yield made
        anyio.run(made.source.close)


@pytest.fixture
def repo(tmp_path):
    return GitRepository(tmp_path / "origin.git")


def declared(
    spec: Mapping[str, Any], *, parent: ObjectRef | None = None, file: str = "/etc/gitopsd/app.yaml"
) -> Declared:
    """A GitRepository document; interval and url have defaults."""
    document = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "app", "namespace": "flux-system"},
        "spec": {"url": "https://git.example.org/team/app", "interval": "1m", **spec},
    }
    return Declared(ref=REF, document=document, place=Place(file=file, line=1), spec=Digest("sha256:0"), parent=parent)


@pytest.fixture
def read():
    """Reads a document with this spec."""
    return lambda spec, **options: Kind().read(declared(spec, **options))


@pytest.fixture
def document():
    return declared


@pytest.fixture
def contents():
    """All files of a tree: path -> bytes, with links as their target in `str`."""
    return source_world.contents


@pytest.fixture
def key_folder(tmp_path) -> Path:
    folder = tmp_path / "keys"
    folder.mkdir()
    return folder

"""Builds kustomizations from files given as texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from gitopsd.plugin import Rendered, Tree
from gitopsd.plugin.folder import LocalFolder
from gitopsd_plugins.kustomize import build
from gitopsd_plugins.kustomize.renderer import KustomizeRenderer

Files = Mapping[str, str]
Bodies = list[dict[str, Any]]


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[Files], Tree]:
    """A tree of these files; texts are dedented."""

    def make(files: Files) -> Tree:
        for name, content in files.items():
            path = tmp_path / "tree" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(content))
        (tmp_path / "tree").mkdir(exist_ok=True)
        source = LocalFolder(tmp_path / "tree")
        return Tree(source, source.root)

    return make


@pytest.fixture
def built(tree: Callable[[Files], Tree]) -> Callable[..., Bodies]:
    """The bodies of the kustomization in the root, or in the folder `at`."""

    def make(files: Files, at: str = "", *, restricted: bool = True) -> Bodies:
        return [resource.body for resource in build.build(tree(files), at, restricted=restricted).resources]

    return make


@pytest.fixture
def rendered(tree: Callable[[Files], Tree]) -> Callable[..., Rendered]:
    """What Flux's rules render for a spec."""

    def make(files: Files, **spec: Any) -> Rendered:
        return KustomizeRenderer().render(tree(files), spec)

    return make

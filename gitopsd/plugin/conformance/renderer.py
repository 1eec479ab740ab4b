"""What every renderer promises. A plugin's tests subclass `RendererConformance` and fill in its three fields.

class TestMine(RendererConformance):
    renderer = MyRenderer
    files = {"app/config.yaml": b"..."}
    spec = {"path": "app"}
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from gitopsd.model import digest
from gitopsd.model.errors import GitopsdError
from gitopsd.model.manifest import Rendered
from gitopsd.plugin.folder import LocalFolder
from gitopsd.plugin.roles import Renderer
from gitopsd.plugin.tree import Tree


class RendererConformance:
    """`files` by path are a tree from which `spec` renders at least one object; every file in it matters."""

    renderer: ClassVar[type[Renderer]]
    files: ClassVar[Mapping[str, bytes]]
    spec: ClassVar[Mapping[str, Any]]

    def render(self, tree: Tree) -> Rendered:
        """Render with a fresh instance, as a worker process does, and a spec that went through JSON."""
        spec: Mapping[str, Any] = json.loads(json.dumps(self.spec))
        return self.renderer().render(tree, spec)

    def test_it_has_a_name_and_a_version(self) -> None:
        """Both enter cache keys."""
        made = self.renderer()
        assert made.name
        assert made.version

    def test_equal_inputs_render_equal(self, tmp_path: Path) -> None:
        """A renderer is a function of tree and spec."""
        first, second = self.render(_tree(tmp_path, self.files)), self.render(_tree(tmp_path, self.files))
        assert first.manifests
        assert first == second

    def test_manifests_carry_the_digest_of_their_bodies(self, tmp_path: Path) -> None:
        """Equal digest means nothing to do, so it must be that of the body as it is delivered."""
        for manifest in self.render(_tree(tmp_path, self.files)).manifests:
            assert manifest.digest == digest.of_value(manifest.body) or manifest.digest.startswith("hmac-sha256:")

    def test_bodies_share_nothing(self, tmp_path: Path) -> None:
        """Whoever changes one body must not change another."""
        bodies = [manifest.body for manifest in self.render(_tree(tmp_path, self.files)).manifests]
        seen: set[int] = set()
        for body in bodies:
            containers = _containers(body)
            assert not seen & containers
            seen |= containers

    def test_the_spec_is_left_alone(self, tmp_path: Path) -> None:
        """The same spec is used again for the next revision."""
        spec = copy.deepcopy(dict(self.spec))
        self.renderer().render(_tree(tmp_path, self.files), spec)
        assert spec == self.spec

    def test_the_record_of_reads_notices_each_changed_file(self, tmp_path: Path) -> None:
        """Equal reads mean no render: what is not recorded would never be rendered again."""
        rendered = self.render(_tree(tmp_path, self.files))
        assert _tree(tmp_path, self.files).unchanged(rendered.reads)
        for path in self.files:
            changed = {**self.files, path: self.files[path] + b"\n# changed\n"}
            assert not _tree(tmp_path, changed).unchanged(rendered.reads), path

    def test_an_empty_tree_is_refused_or_renders_to_nothing(self, tmp_path: Path) -> None:
        """Errors belong to gitopsd's tree, so that the object stalls or retries instead of counting as a bug."""
        try:
            manifests = self.render(_tree(tmp_path, {})).manifests
        except GitopsdError:
            manifests = ()
        assert not manifests


def _tree(folder: Path, files: Mapping[str, bytes]) -> Tree:
    """A fresh tree of these files."""
    root = folder / f"tree-{sum(1 for _ in folder.iterdir())}"
    root.mkdir()
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    source = LocalFolder(root, digests=True)
    return Tree(source, source.root)


def _containers(value: Any) -> set[int]:
    """The identities of all lists and maps in a value."""
    if isinstance(value, Mapping):
        return {id(value)}.union(*map(_containers, value.values()))
    if isinstance(value, list):
        return {id(value)}.union(*map(_containers, value))
    return set()

"""How renderers read a tree: inside it only, with every look recorded, and what a record says about another tree."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.model import digest
from gitopsd.model.digest import Digest
from gitopsd.model.errors import Rejected
from gitopsd.model.remote import Remote
from gitopsd.model.tree import Entry, File, Folder, Link, Node
from gitopsd.plugin.tree import PathError, RemoteNeeded, Remotes, Tree, normal


class Memory:
    """Objects in memory."""

    def __init__(self) -> None:
        self.nodes: dict[Digest, Node] = {}
        self.blobs: dict[Digest, bytes] = {}

    def node(self, digest: Digest) -> Node:
        return self.nodes[digest]

    def blob(self, digest: Digest) -> bytes:
        return self.blobs[digest]

    def put(self, files: Mapping[str, str | Link]) -> Digest:
        """The root of these files."""
        below: dict[str, dict[str, str | Link]] = {}
        node: dict[str, Entry] = {}
        for path, content in files.items():
            name, slash, rest = path.partition("/")
            if slash:
                below.setdefault(name, {})[rest] = content
            else:
                node[name] = content if isinstance(content, Link) else self._file(content)
        node |= {name: Folder(digest=self.put(inner)) for name, inner in below.items()}
        root = digest.of_value({name: repr(entry) for name, entry in node.items()})
        self.nodes[root] = node
        return root

    def _file(self, text: str) -> File:
        data = text.encode()
        self.blobs[digest.of_bytes(data)] = data
        return File(digest=digest.of_bytes(data), size=len(data))


FILES: dict[str, str | Link] = {
    "app/a.yaml": "a",
    "app/deep/b.yaml": "b",
    "link": Link(target="app/deep"),
    "app/up": Link(target="../other"),
    "other/c.yaml": "c",
    "out": Link(target="../../etc"),
    "root": Link(target="/etc/passwd"),
    "loop": Link(target="loop"),
    "gone": Link(target="nowhere"),
}


def tree(files: Mapping[str, str | Link] = FILES) -> Tree:
    memory = Memory()
    return Tree(memory, memory.put(files))


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("app/a.yaml", b"a"),
        ("./app//deep/../a.yaml", b"a"),
        ("link/b.yaml", b"b"),
        ("app/up/c.yaml", b"c"),
    ],
)
def test_a_file_is_read_by_any_path_inside_the_tree(path: str, content: bytes) -> None:
    assert tree().read(path) == content


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("../x", "leaves the tree"),
        ("app/../../x", "leaves the tree"),
        ("out/passwd", "leaves the tree"),
        ("root", "leaves the tree"),
        ("loop", "too many symbolic links"),
        ("app", "is a directory"),
        ("app/none", "no such file"),
        ("gone", "no such file"),
        ("app/a.yaml/x", "no such file"),
        ("a\0b", "NUL"),
        ("/".join("x" * 101), "deeper than 100"),
    ],
)
def test_a_path_that_is_not_in_the_tree_is_refused_by_name(path: str, words: str) -> None:
    with pytest.raises(PathError, match=words):
        tree().read(path)


def test_a_listing_shows_names_and_links_as_they_are() -> None:
    assert sorted(tree().list("app")) == ["a.yaml", "deep", "up"]
    with pytest.raises(PathError, match="is not a directory"):
        tree().list("app/a.yaml")
    with pytest.raises(PathError, match="no such directory"):
        tree().list("none")


def looked() -> Tree:
    seen = tree()
    seen.read("app/a.yaml")
    seen.list("app")
    assert seen.find("app/kustomization.yaml") is None
    return seen


CHANGES: dict[str, tuple[dict[str, str | Link | None], bool]] = {
    "nothing": ({}, True),
    "a file elsewhere": ({"other/c.yaml": "changed"}, True),
    "the inside of a listed folder's folder": ({"app/deep/b.yaml": "changed"}, True),
    "the file that was read": ({"app/a.yaml": "changed"}, False),
    "a file beside it, in the listing": ({"app/new.yaml": "new"}, False),
    "a file that was looked for and is there now": ({"app/kustomization.yaml": "resources: []"}, False),
    "the file is a link now": ({"app/a.yaml": Link(target="deep/b.yaml")}, False),
    "the folder is gone": ({"app/a.yaml": None, "app/deep/b.yaml": None, "app/up": None}, False),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_record_stands_exactly_while_every_look_would_show_the_same(case: str) -> None:
    changes, same = CHANGES[case]
    files = {path: content for path, content in {**FILES, **changes}.items() if content is not None}
    assert tree(files).unchanged(looked().reads) is same


def test_a_failed_look_is_recorded_too() -> None:
    seen = tree()
    with pytest.raises(PathError):
        seen.read("new.yaml")
    assert not tree({**FILES, "new.yaml": "x"}).unchanged(seen.reads)
    assert tree({**FILES, "newer.yaml": "x"}).unchanged(seen.reads)


@given(st.lists(st.sampled_from(["a", "..", ".", "", "b c", "-"]), max_size=8))
def test_a_normal_path_stays_inside_and_normal(parts: list[str]) -> None:
    try:
        path = normal("/".join(parts))
    except PathError:
        return
    assert normal(path) == path
    assert ".." not in path.split("/")
    assert not path.startswith("/")


PATHS = st.lists(
    st.sampled_from(
        ["app", "deep", "a.yaml", "b.yaml", "link", "up", "other", "c.yaml", "loop", "gone", "out", "..", "."]
    ),
    max_size=5,
).map("/".join)


@given(st.lists(PATHS, max_size=6), PATHS)
def test_what_was_looked_at_before_changes_no_answer(before: list[str], path: str) -> None:
    used = tree()
    for earlier in before:
        _found(used, earlier)

    assert _found(used, path) == _found(tree(), path)


def _found(looked_into: Tree, path: str) -> object:
    try:
        return looked_into.find(path), looked_into.unchanged(looked_into.reads)
    except PathError as error:
        return str(error)


def test_the_limit_on_depth_holds_wherever_the_look_begins() -> None:
    deep = "/".join(["d"] * 99)
    used = tree({f"{deep}/file": "x", f"{deep}/d/file": "y"})

    assert used.read(f"{deep}/file") == b"x"
    assert isinstance(used.find(f"{deep}/d"), Folder)
    with pytest.raises(PathError, match="deeper than 100"):
        used.read(f"{deep}/d/file")


GIT, PAGE = Remote(sort="git", url="https://h/r", revision="v1"), Remote(sort="file", url="https://h/f")


def elsewhere(memory: Memory, roots: Mapping[Remote, Digest | None]) -> Tree:
    return Tree(memory, memory.put({"a": "1"}), remotes=Remotes(memory, roots))


def test_what_is_elsewhere_is_asked_for_all_at_once() -> None:
    tree = elsewhere(Memory(), {})
    with pytest.raises(RemoteNeeded) as needed:
        tree.need([GIT, PAGE])
    assert needed.value.remotes == (GIT, PAGE)
    assert tree.reaches


def test_a_tree_leads_nowhere_unless_it_may() -> None:
    memory = Memory()
    tree = Tree(memory, memory.put({"a": "1"}))
    assert not tree.reaches
    with pytest.raises(Rejected, match="nothing is fetched"):
        tree.remote(GIT)


def test_looks_elsewhere_are_part_of_the_record() -> None:
    memory = Memory()
    first = memory.put({"x": "1", "y": "1"})
    tree = elsewhere(memory, {GIT: first, PAGE: None})
    there = tree.remote(GIT)
    assert there is not None
    assert there.read("x") == b"1"
    assert tree.remote(PAGE) is None

    def unchanged(roots: Mapping[Remote, Digest | None]) -> bool:
        return elsewhere(memory, roots).unchanged(tree.reads)

    assert unchanged({GIT: first, PAGE: None})
    assert unchanged({GIT: memory.put({"x": "1", "y": "other"}), PAGE: None}), "y was not looked at"
    assert not unchanged({GIT: memory.put({"x": "2", "y": "1"}), PAGE: None})
    assert not unchanged({GIT: first, PAGE: first})
    assert not unchanged({GIT: None, PAGE: None})
    assert not unchanged({GIT: first})
    assert not Tree(memory, tree.root).unchanged(tree.reads)


def test_trees_from_elsewhere_lead_on() -> None:
    memory = Memory()
    tree = elsewhere(memory, {GIT: memory.put({"x": "1"})})
    there = tree.remote(GIT)
    assert there is not None
    with pytest.raises(RemoteNeeded):
        there.remote(PAGE)
    assert tree.remote(GIT) is there


def test_what_lies_over_a_tree_is_read_and_what_is_under_it_is_recorded() -> None:
    memory = Memory()
    root = memory.put({"a.yaml": "sealed"})
    over = Tree(memory, root, reveal=lambda path, data: f"{path}: {data.decode()} opened".encode())
    assert over.read("a.yaml") == b"a.yaml: sealed opened"
    assert over.read("a.yaml", sealed=True) == b"sealed"
    plain = Tree(memory, root)
    plain.read("a.yaml")
    assert over.reads == plain.reads

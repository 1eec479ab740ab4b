"""Damaged and missing content is never used, and its source fetches again."""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitopsd.model.digest import Digest, of_bytes
from gitopsd.model.errors import Transient
from gitopsd.model.identity import ObjectRef
from gitopsd.model.manifest import Outline, Rendered
from gitopsd.model.tree import Artifact, Changes, Folder, Revision
from gitopsd.plugin.tree import Content, Tree
from gitopsd.store import Store

APP = ObjectRef(kind="GitRepository", namespace="flux-system", name="app")
OTHER = ObjectRef(kind="GitRepository", namespace="flux-system", name="other")


def fetch(store: Store, source: ObjectRef, files: dict[str, bytes]) -> Artifact:
    """What a source does: bytes, tree, reference."""
    kept = store.add(Content(data=data, key=f"oid of {of_bytes(data)}") for data in files.values())
    stored = store.put(Changes(entries=dict(zip(files, kept, strict=True))))
    artifact = Artifact(
        source=source,
        revision=Revision(digest="sha1:1"),
        tree=stored.tree,
        size=stored.size,
        files=stored.files,
        stored=datetime(2026, 1, 1, tzinfo=UTC),
        spec=of_bytes(b"spec"),
    )
    store.refer(artifact)
    return artifact


def change(folder: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(folder / "cache" / "cache.db", isolation_level=None)
    assert connection.execute(statement, values).rowcount > 0
    connection.close()


def raw(digest: Digest) -> bytes:
    return bytes.fromhex(digest.removeprefix("sha256:"))


SMALL = {"a/b/c.yaml": b"one", "a/d.yaml": b"two"}
BIG = {"a/b/c.yaml": os.urandom(400_000)}


def damage_row(folder: Path, data: bytes) -> None:
    change(folder, "UPDATE bytes SET data = 'x' WHERE data = ?", data)


def lose_row(folder: Path, data: bytes) -> None:
    change(folder, "DELETE FROM bytes WHERE data = ?", data)


def lose_blob(folder: Path, data: bytes) -> None:
    change(folder, "DELETE FROM blob WHERE digest = ?", raw(of_bytes(data)))


def big_file(folder: Path, data: bytes) -> Path:
    return next((folder / "cache" / "blobs").glob(f"*/{raw(of_bytes(data)).hex()}"))


def damage_file(folder: Path, data: bytes) -> None:
    big_file(folder, data).write_bytes(b"x" * len(data))


def cut_file(folder: Path, data: bytes) -> None:
    os.truncate(big_file(folder, data), 100)


def lose_file(folder: Path, data: bytes) -> None:
    big_file(folder, data).unlink()


CASES = [
    (SMALL, damage_row),
    (SMALL, lose_row),
    (SMALL, lose_blob),
    (BIG, damage_file),
    (BIG, cut_file),
    (BIG, lose_file),
]


@pytest.mark.parametrize(("files", "harm"), CASES)
def test_damaged_content_is_dropped_when_it_is_read(store, folder, files, harm) -> None:  # type: ignore[no-untyped-def]
    other = fetch(store, OTHER, {"x": b"other"})
    artifact = fetch(store, APP, files)
    harm(folder, files["a/b/c.yaml"])

    with pytest.raises(Transient, match="it will be fetched again"):
        Tree(store, artifact.tree).read("a/b/c.yaml")

    assert store.artifact(APP) is None
    assert store.artifact(OTHER) == other
    assert fetch(store, APP, files) == artifact
    assert Tree(store, artifact.tree).read("a/b/c.yaml") == files["a/b/c.yaml"]


@pytest.mark.parametrize(("files", "harm"), CASES)
def test_damaged_content_is_dropped_by_verify(store, folder, files, harm) -> None:  # type: ignore[no-untyped-def]
    fetch(store, APP, files)
    fetch(store, OTHER, {"x": b"other"})
    harm(folder, files["a/b/c.yaml"])

    report = store.verify()

    assert not report.sound
    assert [str(of_bytes(files["a/b/c.yaml"])) in problem for problem in report.problems] == [True]
    assert report.dropped == 1
    assert store.artifact(APP) is None
    assert store.artifact(OTHER) is not None
    assert store.verify().sound


def test_content_that_inflates_without_end_is_damaged(store: Store, folder: Path) -> None:
    data = b"a" * 10_000
    fetch(store, APP, {"x": data})
    change(folder, "UPDATE bytes SET data = ?", __import__("zlib").compress(b"a" * 50_000_000))

    with pytest.raises(Transient, match="damaged content"):
        store.blob(of_bytes(data))


def test_a_damaged_directory_is_dropped_with_what_needs_it(store: Store, folder: Path) -> None:
    artifact = fetch(store, APP, SMALL)
    inner = store.node(artifact.tree)["a"]
    assert isinstance(inner, Folder)
    change(folder, "UPDATE node SET data = 'x' WHERE digest = ?", raw(inner.digest))

    with Store.open(folder) as fresh, pytest.raises(Transient, match="damaged content"):
        Tree(fresh, artifact.tree).read("a/d.yaml")

    assert store.artifact(APP) is None
    assert fetch(store, APP, SMALL) == artifact
    assert store.verify().sound


@pytest.mark.parametrize(
    "statement",
    ["UPDATE node SET data = 'x' WHERE files = 1", "DELETE FROM node WHERE files = 1"],
    ids=["damaged", "missing"],
)
def test_verify_finds_directories(store: Store, folder: Path, statement: str) -> None:
    artifact = fetch(store, APP, SMALL)
    change(folder, statement)

    report = store.verify()

    assert report.dropped == 1
    assert len(report.problems) == 1
    assert store.artifact(APP) is None
    assert fetch(store, APP, SMALL) == artifact


def test_verify_drops_an_artifact_without_tree(store: Store, folder: Path) -> None:
    artifact = fetch(store, APP, SMALL)
    change(folder, "DELETE FROM node WHERE digest = ?", raw(artifact.tree))

    assert store.verify().dropped == 1
    assert store.artifact(APP) is None


def keep_nothing(store: Store) -> Outline:
    """Keep a rendered set without objects."""
    intent, empty = of_bytes(b"i"), Rendered(manifests=())
    outline = Outline.of(intent, empty)
    store.keep_rendered(empty, outline, app=APP, intent=intent)
    return outline


def test_verify_drops_damaged_rendered_sets(store: Store, folder: Path) -> None:
    outline = keep_nothing(store)
    change(folder, "UPDATE rendered SET data = 'x'")

    assert store.rendered(outline.key) is None
    assert not store.verify().sound
    assert store.verify().sound


def test_a_sound_store_is_reported_as_such(store: Store) -> None:
    fetch(store, APP, SMALL | BIG)
    keep_nothing(store)

    report = store.verify()

    assert report.sound
    assert (report.blobs, report.nodes, report.rendered, report.artifacts) == (2, 4, 1, 1)

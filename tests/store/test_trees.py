"""Putting trees and reading them back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitopsd.model.digest import Digest, of_bytes
from gitopsd.model.errors import Transient
from gitopsd.model.tree import Changes, Entry, File, Folder, Link
from gitopsd.plugin.tree import Content, Intake, PathError, Stored, Tree
from gitopsd.store import Store

Flat = Mapping[str, File | Link]


def keep(store: Store, *data: bytes) -> list[File]:
    return list(store.add(Content(data=item) for item in data))


def put(store: Store, entries: Mapping[str, Entry | None], base: Stored | None = None) -> Stored:
    return store.put(Changes(entries=entries, base=base.tree if base else None))


def flat(store: Store, digest: Digest, prefix: str = "") -> dict[str, File | Link]:
    """Every file and link of a tree by its path."""
    found: dict[str, File | Link] = {}
    for name, entry in store.node(digest).items():
        if isinstance(entry, Folder):
            below = flat(store, entry.digest, f"{prefix}{name}/")
            assert below, "a directory without entries"
            found |= below
        else:
            found[prefix + name] = entry
    return found


def test_it_is_what_sources_write_to(store: Store) -> None:
    intake: Intake = store

    assert intake.known([]) == {}


def test_what_was_put_is_read_back(store: Store) -> None:
    app, run = keep(store, b"app", b"#!/bin/sh")
    entries: dict[str, File | Link] = {
        "app.yaml": app,
        "bin/a b/run": File(digest=run.digest, size=run.size, executable=True),
        "bin/link": Link(target="../app.yaml"),
        "données/日本.yaml": app,
    }

    stored = put(store, entries)

    assert flat(store, stored.tree) == entries
    assert (stored.size, stored.files) == (3 + 9 + 3, 3)
    assert Tree(store, stored.tree).read("bin/link") == b"app"


def test_names_that_are_not_utf8_keep_their_bytes(store: Store) -> None:
    (file,) = keep(store, b"x")
    name = os.fsdecode(b"caf\xe9.yaml")

    stored = put(store, {name: file})

    assert list(store.node(stored.tree)) == [name]


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 100_000, 300_000, 1_000_000])
@pytest.mark.parametrize("random", [True, False], ids=["incompressible", "compressible"])
def test_bytes_of_any_size_are_read_back(store: Store, folder: Path, size: int, random: bool) -> None:
    data = os.urandom(size) if random else b"a" * size

    (file,) = keep(store, data)

    assert (file.digest, file.size) == (of_bytes(data), size)
    assert store.blob(file.digest) == data
    big = [path for path in (folder / "cache").glob("blobs/*/*") if path.is_file()]
    assert bool(big) == (random and size > 256 * 1024)


def test_files_come_back_in_the_order_of_their_contents(store: Store) -> None:
    data = [b"%d" % (number % 700) for number in range(1500)]

    files = keep(store, *data)

    assert [store.blob(file.digest) for file in files] == data


def test_native_ids_find_what_is_stored(store: Store) -> None:
    (file,) = store.add([Content(data=b"one", key="oid-1")])
    store.add([Content(data=b"one", key="etag-9")])

    assert store.known(["oid-1", "etag-9", "oid-2"]) == {"oid-1": file, "etag-9": file}


def test_a_native_id_that_comes_again_means_its_latest_bytes(store: Store) -> None:
    store.add([Content(data=b"one", key="etag")])

    (file,) = store.add([Content(data=b"two", key="etag")])

    assert store.known(["etag"]) == {"etag": file}


def test_a_native_id_that_stands_twice_among_others_means_its_last_bytes(store: Store) -> None:
    many = [Content(data=b"%d" % number, key=f"etag-{number}") for number in range(600)]
    latest = [Content(data=b"%d" % (600 - number), key="etag-7") for number in range(5)]

    files = store.add([*many, *latest])

    assert store.known(["etag-7", "etag-8"]) == {"etag-7": files[-1], "etag-8": files[8]}


def test_contents_of_which_some_are_there_are_all_read_back(store: Store) -> None:
    store.add([Content(data=b"%d" % number) for number in range(0, 1200, 2)])

    files = store.add([Content(data=b"%d" % number) for number in range(1200)])

    assert [store.blob(file.digest) for file in files] == [b"%d" % number for number in range(1200)]
    assert store.verify().problems == ()


def test_a_tree_from_nothing_is_empty(store: Store) -> None:
    stored = put(store, {})

    assert (stored.size, stored.files) == (0, 0)
    assert dict(store.node(stored.tree)) == {}


def test_a_tree_may_become_empty_and_grow_again(store: Store) -> None:
    (file,) = keep(store, b"x")
    first = put(store, {"a/b/c": file})

    emptied = put(store, {"a/b/c": None}, first)
    again = put(store, {"a/b/c": file}, emptied)

    assert emptied == put(store, {})
    assert again == first


def test_directories_without_entries_vanish(store: Store) -> None:
    (file,) = keep(store, b"x")
    base = put(store, {"a/b/c": file, "d": file})

    stored = put(store, {"a/b/c": None}, base)

    assert stored == put(store, {"d": file})


def test_what_is_not_there_can_be_removed(store: Store) -> None:
    (file,) = keep(store, b"x")
    base = put(store, {"a": file})

    assert put(store, {"a/b": None, "c": None, "d/e": None}, base) == base


@pytest.mark.parametrize("stated", [True, False], ids=["removal stated", "removal implied"])
def test_a_file_becomes_a_directory(store: Store, stated: bool) -> None:
    one, two = keep(store, b"one", b"two")
    base = put(store, {"a": one, "z": one})
    removal: dict[str, Entry | None] = {"a": None} if stated else {}

    stored = put(store, {**removal, "a/b": two}, base)

    assert stored == put(store, {"a/b": two, "z": one})


@pytest.mark.parametrize("stated", [True, False], ids=["removal stated", "removal implied"])
def test_a_directory_becomes_a_file(store: Store, stated: bool) -> None:
    one, two = keep(store, b"one", b"two")
    base = put(store, {"a/b": one, "a/c/d": one})
    removal: dict[str, Entry | None] = {"a/b": None, "a/c/d": None} if stated else {}

    assert put(store, {**removal, "a": two}, base) == put(store, {"a": two})


def test_a_directory_is_taken_over_whole(store: Store) -> None:
    one, two = keep(store, b"one", b"two")
    library = put(store, {"x/y": one, "z": two})

    stored = put(store, {"vendor/lib": Folder(digest=library.tree), "vendor/lib/z": None, "app": two})

    assert stored == put(store, {"vendor/lib/x/y": one, "app": two})


def test_an_empty_directory_is_not_taken_over(store: Store) -> None:
    (file,) = keep(store, b"x")
    empty = put(store, {})

    assert put(store, {"a/b": Folder(digest=empty.tree), "c": file}) == put(store, {"c": file})


def test_a_file_and_a_directory_at_one_path_are_refused(store: Store) -> None:
    (file,) = keep(store, b"x")

    with pytest.raises(PathError, match=r"^a: both a file and a directory"):
        put(store, {"a": file, "a/b": file})


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "./a",
        "a/..",
        "../a",
        "a/../b",
        "a\0b",
        "\0",
        "a" * 256,
        "é" * 128,
        "a/" * 100 + "b",
        "\ud800",
    ],
)
def test_paths_that_cannot_be_are_refused(store: Store, path: str) -> None:
    (file,) = keep(store, b"x")

    with pytest.raises(PathError):
        put(store, {path: file})
    with pytest.raises(PathError):
        put(store, {path: None})


@pytest.mark.parametrize("target", ["", "a\0b", "a" * 4097])
def test_links_need_a_target(store: Store, target: str) -> None:
    with pytest.raises(PathError, match="target"):
        put(store, {"a": Link(target=target)})


def test_a_file_that_was_not_added_is_refused(store: Store) -> None:
    with pytest.raises(Transient, match="not in the store"):
        put(store, {"a": File(digest=of_bytes(b"never"), size=5)})


def test_a_file_of_another_size_is_refused(store: Store) -> None:
    (file,) = keep(store, b"x")

    with pytest.raises(Transient, match="not in the store"):
        put(store, {"a": File(digest=file.digest, size=2)})


@pytest.mark.parametrize("entries", [{}, {"a": None}], ids=["unchanged", "changed"])
def test_an_unknown_base_is_refused(store: Store, entries: Mapping[str, None]) -> None:
    with pytest.raises(Transient, match="not in the store"):
        store.put(Changes(entries=entries, base=of_bytes(b"unknown")))


def test_an_unknown_directory_is_refused(store: Store) -> None:
    with pytest.raises(Transient, match="not in the store"):
        put(store, {"a": Folder(digest=of_bytes(b"unknown"))})


@pytest.mark.parametrize("digest", ["", "folder", "sha256:12", "sha1:" + "0" * 64, "sha256:" + "zz" * 32])
def test_what_is_no_digest_is_not_in_the_store(store: Store, digest: str) -> None:
    with pytest.raises(Transient, match="not in the store"):
        store.blob(Digest(digest))
    with pytest.raises(Transient, match="not in the store"):
        store.node(Digest(digest))


def test_another_process_reads_what_was_put(store: Store, folder: Path) -> None:
    (file,) = keep(store, b"x")
    stored = put(store, {"a": file})

    with Store.open(folder) as other:
        assert Tree(other, stored.tree).read("a") == b"x"


NAMES = st.sampled_from(["a", "b", "c", "d", "é", "lx", "x y"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
BYTES = st.sampled_from([b"", b"1", b"22", b"333"])
ENTRIES = st.one_of(
    st.none(),
    BYTES,
    st.builds(Link, target=st.sampled_from(["a", "../b", "x y"])),
)
ROUNDS = st.lists(st.dictionaries(PATHS, ENTRIES, max_size=8), min_size=1, max_size=5)


def after(tree: Flat, changes: Mapping[str, Entry | None]) -> dict[str, File | Link]:
    """The law: what a path says replaces all that stood there and above it."""
    result = dict(tree)
    for path, entry in changes.items():
        result = {p: e for p, e in result.items() if p != path and not p.startswith(f"{path}/")}
        if entry is not None:
            above = {path[:at] for at, letter in enumerate(path) if letter == "/"}
            result = {p: e for p, e in result.items() if p not in above}
    return result | {path: entry for path, entry in changes.items() if isinstance(entry, File | Link)}


def contradictory(changes: Mapping[str, Entry | None]) -> bool:
    stated = {path for path, entry in changes.items() if entry is not None}
    return any(other.startswith(f"{path}/") for path in stated for other in stated)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(tmp_path_factory.mktemp("shared") / "state") as store:
        yield store


@given(rounds=ROUNDS)
@settings(max_examples=100)
def test_changes_make_the_tree_that_would_be_made_from_scratch(
    shared: Store, rounds: list[dict[str, bytes | Link | None]]
) -> None:
    expected: dict[str, File | Link] = {}
    stored: Stored | None = None
    for changes in rounds:
        entries = {path: keep(shared, e)[0] if isinstance(e, bytes) else e for path, e in changes.items()}
        if contradictory(entries):
            with pytest.raises(PathError):
                put(shared, entries, stored)
            continue
        stored = put(shared, entries, stored)
        expected = after(expected, entries)
        assert flat(shared, stored.tree) == expected
        assert stored == put(shared, expected)
        files = [entry for entry in expected.values() if isinstance(entry, File)]
        assert (stored.size, stored.files) == (sum(file.size for file in files), len(files))

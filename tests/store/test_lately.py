"""What was added a short while ago is taken to be there: only as long as nobody can have removed it."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from gitopsd.model.errors import Transient
from gitopsd.model.tree import Changes, File
from gitopsd.plugin.tree import Content
from gitopsd.store import Store, retention


def changes(file: File) -> Changes:
    return Changes(entries={"a": file})


def test_a_tree_of_what_was_added_long_ago_is_refused_where_it_is_gone(store: Store, clock) -> None:
    (file,) = store.add([Content(data=b"a")])
    store.gc(timedelta(0), clock.pass_by(seconds=2 * retention.FRESH + 1))

    with pytest.raises(Transient, match="is not in the store"):
        store.put(changes(file))


def test_a_tree_of_what_was_found_damaged_meanwhile_is_refused(store: Store, folder: Path, clock) -> None:
    (file,) = store.add([Content(data=b"a")])
    with sqlite3.connect(folder / "cache" / "cache.db") as other:
        other.execute("UPDATE bytes SET data = x'62'")
    other.close()
    with pytest.raises(Transient, match="damaged content"):
        store.blob(file.digest)

    with pytest.raises(Transient, match="is not in the store"):
        store.put(changes(file))


def test_a_tree_that_names_another_size_is_refused(store: Store) -> None:
    (file,) = store.add([Content(data=b"a")])

    with pytest.raises(Transient, match="is not in the store"):
        store.put(changes(File(digest=file.digest, size=2)))


def test_what_is_added_again_counts_as_used_long_before_it_may_be_removed(store: Store, clock) -> None:
    first = store.add([Content(data=b"a")])
    clock.pass_by(seconds=retention.FRESH // 2 + 1)
    assert store.add([Content(data=b"a")]) == first
    store.gc(timedelta(0), clock.pass_by(seconds=2 * retention.FRESH - 1))

    assert store.put(changes(first[0])).files == 1

"""Many threads and processes at one store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gitopsd.model.errors import Transient, UsageError
from gitopsd.model.identity import ObjectRef
from gitopsd.model.tree import Changes
from gitopsd.plugin.tree import Content, Tree
from gitopsd.store import Store, database


def ref(number: int) -> ObjectRef:
    return ObjectRef(kind="Kustomization", namespace="flux-system", name=f"app-{number}")


def test_threads_write_and_read_at_once(store: Store) -> None:
    def work(number: int) -> bytes:
        for generation in range(10):
            store.keep_statuses({ref(number): {"observedGeneration": generation}})
            files = store.add([Content(data=b"%d" % (number * generation))])
            stored = store.put(Changes(entries={"a/b": files[0]}))
        return Tree(store, stored.tree).read("a/b")

    with ThreadPoolExecutor(max_workers=8) as threads:
        results = list(threads.map(work, range(8)))

    assert results == [b"%d" % (number * 9) for number in range(8)]
    assert list(store.statuses().values()) == [{"observedGeneration": 9}] * 8


def test_readers_do_not_wait_for_a_writer(store: Store, folder: Path) -> None:
    store.keep_statuses({ref(1): {"a": 1}})
    with Store.open(folder) as other, other._cache.write() as connection:
        connection.execute("DELETE FROM status")

        assert store.status(ref(1)) == {"a": 1}


def test_a_writer_that_never_ends_is_an_error(store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY", 0.01)
    with (
        Store.open(folder) as other,
        other._cache.write(),
        pytest.raises(Transient, match="in use by another process for too long"),
    ):
        store.keep_statuses({ref(1): {}})

    store.keep_statuses({ref(1): {}})


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        write_and_fail(store)

    assert store.statuses() == {}
    store.keep_statuses({ref(1): {}})


def write_and_fail(store: Store) -> None:
    with store._cache.write() as connection:
        connection.execute("INSERT INTO status (ref, body) VALUES ('a/b/c', '{}')")
        raise ZeroDivisionError


def test_a_store_that_vanished_is_not_made_again_by_a_reader(store: Store, folder: Path) -> None:
    store._cache.close()
    (folder / "cache" / "cache.db").unlink()

    with pytest.raises(UsageError, match=r"cache\.db cannot be opened"):
        store.statuses()
    assert not (folder / "cache" / "cache.db").exists()

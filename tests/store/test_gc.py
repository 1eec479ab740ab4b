"""Removing what nobody needs, and nothing else."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitopsd.model.digest import Digest, of_bytes
from gitopsd.model.errors import Transient
from gitopsd.model.identity import ObjectRef
from gitopsd.model.tree import Artifact, Changes, Entry, Folder, Revision
from gitopsd.plugin.tree import Content, Stored
from gitopsd.store import Store, gc, retention

GRACE = timedelta(hours=1)


class Clock(Protocol):
    """The clock of the stores here."""

    time: datetime

    def __call__(self) -> int: ...

    def pass_by(self, **units: float) -> datetime: ...


APP = ObjectRef(kind="GitRepository", namespace="flux-system", name="app")


def put(store: Store, entries: Mapping[str, bytes | None], base: Stored | None = None) -> Stored:
    changes: dict[str, Entry | None] = {
        path: None if data is None else store.add([Content(data=data)])[0] for path, data in entries.items()
    }
    return store.put(Changes(entries=changes, base=base.tree if base else None))


def refer(store: Store, stored: Stored, keep: int = 1, source: ObjectRef = APP) -> None:
    artifact = Artifact(
        source=source,
        revision=Revision(digest=stored.tree),
        tree=stored.tree,
        size=stored.size,
        files=stored.files,
        stored=datetime(2026, 1, 1, tzinfo=UTC),
        spec=of_bytes(b"spec"),
    )
    store.refer(artifact, keep=keep)


def read_all(store: Store, digest: Digest) -> int:
    """Read every byte of a tree; the number of files."""
    count = 0
    for entry in store.node(digest).values():
        if isinstance(entry, Folder):
            count += read_all(store, entry.digest)
        else:
            store.blob(entry.digest)  # type: ignore[union-attr]  # these tests put no links
            count += 1
    return count


def rows(folder: Path) -> tuple[int, int]:
    """How many nodes and blobs there are."""
    connection = sqlite3.connect(folder / "cache" / "cache.db")
    nodes = connection.execute("SELECT count(*) FROM node").fetchone()[0]
    blobs = connection.execute("SELECT count(*) FROM blob").fetchone()[0]
    connection.close()
    return nodes, blobs


def test_what_an_artifact_reaches_stays(store: Store, clock: Clock) -> None:
    stored = put(store, {"a/b/c": b"one", "d": os.urandom(300_000)})
    refer(store, stored)

    report = store.gc(GRACE, clock.pass_by(days=30))

    assert report.removed == 1  # the empty directory that every store holds
    assert read_all(store, stored.tree) == 2


def test_what_nothing_reaches_goes_after_the_grace_period(store: Store, clock: Clock, folder: Path) -> None:
    put(store, {"a/b/c": b"one", "d": os.urandom(300_000)})

    assert store.gc(GRACE, clock.pass_by(minutes=59)) == gc.Report()
    report = store.gc(GRACE, clock.pass_by(minutes=2))

    assert report.removed == 3 + 1 + 2
    assert report.freed > 300_000
    assert rows(folder) == (0, 0)
    assert not [path for path in (folder / "cache" / "blobs").rglob("*") if path.is_file()]


def test_native_ids_of_removed_bytes_are_unknown(store: Store, clock: Clock, folder: Path) -> None:
    store.add([Content(data=b"x", key="oid")])
    refer(store, put(store, {"a": b"kept"}))
    store.add([Content(data=b"kept", key="other")])

    store.gc(GRACE, clock.pass_by(hours=2))

    assert set(store.known(["oid", "other"])) == {"other"}
    with closing(sqlite3.connect(folder / "cache" / "cache.db")) as connection:
        assert connection.execute("SELECT key FROM native").fetchall() == [("other",)]


def test_what_is_added_again_counts_as_used_and_stays_there_once(store: Store, clock: Clock, folder: Path) -> None:
    data = [b"%d" % number for number in range(600)] + [os.urandom(300_000)]
    store.add([Content(data=item) for item in data])
    clock.pass_by(hours=2)

    files = store.add([Content(data=item) for item in [b"new", *data]])
    report = store.gc(GRACE, clock.pass_by(minutes=10))

    assert report.removed == 0
    assert [store.blob(file.digest) for file in files] == [b"new", *data]
    with closing(sqlite3.connect(folder / "cache" / "cache.db")) as connection:
        assert connection.execute("SELECT count(*) FROM bytes").fetchone() == (601,)


def test_the_disk_gets_its_space_back(store: Store, clock: Clock, folder: Path) -> None:
    put(store, {str(number): os.urandom(20_000) for number in range(200)})
    with store._cache.read() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = (folder / "cache" / "cache.db").stat().st_size

    store.gc(GRACE, clock.pass_by(hours=2))

    with store._cache.read() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert (folder / "cache" / "cache.db").stat().st_size < before / 10


def test_an_older_artifact_may_be_read_for_the_grace_period(store: Store, clock: Clock) -> None:
    old = put(store, {"a/b": b"old"})
    refer(store, old)
    clock.pass_by(days=30)
    refer(store, put(store, {"a/b": b"new"}))

    store.gc(GRACE, clock.pass_by(minutes=30))
    assert read_all(store, old.tree) == 1

    store.gc(GRACE, clock.pass_by(hours=2))
    with pytest.raises(Transient):
        store.blob(of_bytes(b"old"))


def test_a_forgotten_source_frees_its_content(store: Store, clock: Clock, folder: Path) -> None:
    refer(store, put(store, {"a/b": b"old"}))

    store.forget(APP)
    store.gc(GRACE, clock.pass_by(hours=2))

    assert rows(folder) == (0, 0)


def test_known_bytes_are_kept_from_then_on(store: Store, clock: Clock) -> None:
    store.add([Content(data=b"x", key="oid")])
    clock.pass_by(days=30)

    found = store.known(["oid"])
    store.gc(GRACE, clock.pass_by(minutes=59))

    assert store.blob(found["oid"].digest) == b"x"


def test_a_base_in_use_keeps_all_that_it_reaches(store: Store, clock: Clock) -> None:
    base = put(store, {"a/b": b"one", "c/d": b"two"})
    clock.pass_by(days=30)

    stored = put(store, {"a/b": b"new"}, base)
    store.gc(GRACE, clock.pass_by(minutes=30))

    assert read_all(store, stored.tree) == 2
    assert read_all(store, base.tree) == 2


def test_content_that_comes_into_use_during_gc_stays(store: Store, clock: Clock, folder: Path) -> None:
    """Another process takes over an old tree between gc's list and its removals."""
    base = put(store, {f"{n}/x": b"%d" % n for n in range(50)})
    cutoff = clock.pass_by(days=30) - GRACE
    used = gc._used(store._cache, int(cutoff.timestamp()))
    with Store.open(folder, now=clock) as other:
        stored = put(other, {"new": b"new"}, base)

    with pytest.raises(gc._Revived):
        list(gc._sweep(store._cache, used, int(cutoff.timestamp())))

    assert read_all(store, stored.tree) == 51
    store.gc(GRACE, clock.time)
    assert read_all(store, stored.tree) == 51


def test_bytes_that_come_into_use_during_gc_stay(store: Store, clock: Clock, folder: Path) -> None:
    store.add([Content(data=b"x", key="oid"), Content(data=b"y")])
    cutoff = int((clock.pass_by(days=30) - GRACE).timestamp())
    used = gc._used(store._cache, cutoff)
    with Store.open(folder, now=clock) as other:
        other.known(["oid"])

    (report,) = gc._sweep(store._cache, used, cutoff)

    assert report.removed == 1
    assert store.blob(of_bytes(b"x")) == b"x"


def test_a_gc_that_dies_leaves_whole_trees(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parents go first: what is left of a tree after any number of transactions can be taken over safely."""
    monkeypatch.setattr(gc, "_CHUNK", 2)
    put(store, {f"{n}/{m}/x": b"%d" % n for n in range(5) for m in range(3)})
    cutoff = int((clock.pass_by(days=30) - GRACE).timestamp())

    for _ in gc._sweep(store._cache, gc._used(store._cache, cutoff), cutoff):
        assert store.verify().sound


def test_the_grace_period_has_a_floor(store: Store, clock: Clock) -> None:
    stored = put(store, {"a": b"x"})

    store.gc(timedelta(0), clock.pass_by(seconds=2 * retention.FRESH - 1))

    assert read_all(store, stored.tree) == 1


def test_a_damaged_directory_does_not_stop_gc(store: Store, clock: Clock) -> None:
    stored = put(store, {"a/b": b"x"})
    refer(store, stored)
    with store._cache.write() as connection:
        connection.execute("UPDATE node SET data = ?", (b"x\0dy",))

    store.gc(GRACE, clock.pass_by(hours=2))

    with pytest.raises(Transient):
        read_all(store, stored.tree)
    assert store.artifact(APP) is None


def test_files_without_a_row_go(store: Store, clock: Clock, folder: Path) -> None:
    refer(store, put(store, {"a": os.urandom(300_000)}))
    kept = next((folder / "cache" / "blobs").glob("*/*"))
    orphan = kept.with_name("00" * 32)
    orphan.write_bytes(b"")
    half = kept.with_name("new-abc")
    half.write_bytes(b"")

    store.gc(GRACE, datetime.now(UTC))
    assert sorted(kept.parent.iterdir()) == sorted([kept, half])

    os.utime(half, (0, 0))
    store.gc(GRACE, datetime.now(UTC))
    assert list(kept.parent.iterdir()) == [kept]


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("put"),
            st.dictionaries(
                st.sampled_from(["a", "b/c", "b/d", "e/f/g"]), st.sampled_from([b"1", b"2", None]), max_size=3
            ),
        ),
        st.tuples(st.just("refer"), st.integers(0, 2)),
        st.tuples(st.just("forget"), st.integers(0, 2)),
        st.tuples(st.just("gc"), st.sampled_from([1, 20, 90, 1000])),
    ),
    max_size=12,
)


@given(steps=STEPS)
@settings(max_examples=40)
def test_gc_never_removes_what_is_referred_to(
    tmp_path_factory: pytest.TempPathFactory, make_clock: type[Clock], steps: list[tuple[str, object]]
) -> None:
    clock = make_clock()
    with Store.open(tmp_path_factory.mktemp("gc") / "state", now=clock) as store:
        latest: Stored | None = None
        for verb, value in steps:
            match verb, value:
                case "put", dict():
                    latest = put_after_loss(store, value, latest)
                case "refer", int() if latest:
                    refer(store, put_after_loss(store, {}, latest), keep=2, source=source(value))
                case "forget", int():
                    store.forget(source(value))
                case "gc", int():
                    store.gc(GRACE, clock.pass_by(minutes=value))
            for number in range(3):
                for artifact in store.artifacts(source(number)):
                    assert read_all(store, artifact.tree) == artifact.files
            assert store.verify().sound


def source(number: int) -> ObjectRef:
    return ObjectRef(kind="GitRepository", namespace="flux-system", name=f"source-{number}")


def put_after_loss(store: Store, entries: Mapping[str, bytes | None], base: Stored | None) -> Stored:
    """As a source does: from nothing where the base is gone."""
    try:
        return put(store, entries, base)
    except Transient:
        return put(store, entries)

"""The store of a worker: what is much is written by a process beside it."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitopsd.model.errors import Rejected, UsageError
from gitopsd.model.tree import Changes
from gitopsd.plugin.tree import Content
from gitopsd.runtime.pool import intake
from gitopsd.runtime.pool.intake import Shared
from gitopsd.store import adding
from gitopsd.store.store import Store

GROUP = 50


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adding, "SORTED_COUNT", GROUP)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Shared]:
    with Shared.open(tmp_path / "store") as opened:
        yield opened


def contents(count: int) -> Iterator[Content]:
    for number in range(count):
        yield Content(data=b"content %d\n" % (number % 190), key=f"test:{number}")


def children() -> set[int]:
    """The processes that this thread has started."""
    return set(map(int, Path("/proc/thread-self/children").read_text().split()))


@pytest.fixture
def beside() -> Callable[[], set[int]]:
    """Tells which processes were started by this test; other tests keep servers."""
    before = children()
    return lambda: children() - before


def seen(items: Iterator[Content], beside: Callable[[], set[int]], found: set[int]) -> Iterator[Content]:
    """The same contents; when no more is asked for, `found` are the processes."""
    yield from items
    found |= beside()


def test_all_is_there_as_if_one_process_had_written_it(
    shared: Shared, beside: Callable[[], set[int]], tmp_path: Path
) -> None:
    processes: set[int] = set()
    files = shared.add(seen(contents(4 * GROUP + 10), beside, processes))

    assert len(processes) == 1
    assert not beside()
    with Store.open(tmp_path / "alone") as alone:
        assert alone.add(contents(4 * GROUP + 10)) == files
        changes = Changes(entries={f"dir/{number}": file for number, file in enumerate(files)})
        assert shared.put(changes) == alone.put(changes)
        assert shared.known(["test:7", "test:209"]) == alone.known(["test:7", "test:209"])
    assert [shared.blob(file.digest) for file in files] == [content.data for content in contents(len(files))]
    with Store.open(tmp_path / "store") as store:
        assert store.verify().sound


def test_little_starts_no_process(shared: Shared, beside: Callable[[], set[int]]) -> None:
    processes: set[int] = set()

    assert len(shared.add(seen(contents(GROUP - 1), beside, processes))) == GROUP - 1

    assert not processes


def test_what_is_too_large_to_be_handed_over_keeps_its_place(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "LARGE", 100_000)
    large = Content(data=b"large" * 40_000)
    files = shared.add([*contents(2 * GROUP), large, *contents(2 * GROUP)])

    assert [shared.blob(file.digest) for file in files] == [
        content.data for content in (*contents(2 * GROUP), large, *contents(2 * GROUP))
    ]


def test_a_writer_that_is_killed_is_an_error_and_the_store_is_whole(
    shared: Shared, beside: Callable[[], set[int]], tmp_path: Path
) -> None:
    def killing() -> Iterator[Content]:
        yield from contents(2 * GROUP)
        for pid in beside():
            os.kill(pid, signal.SIGKILL)
        yield from contents(6 * GROUP)

    with pytest.raises(Rejected, match="its worker process was killed; was the machine, or its unit, out of memory"):
        shared.add(killing())

    assert not beside()
    with Store.open(tmp_path / "store") as store:
        assert store.verify().sound
    assert len(shared.add(contents(4 * GROUP))) == 4 * GROUP


def test_an_error_of_the_writer_is_told_as_it_is(shared: Shared, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store" / "ledger.db") as ledger:
        ledger.execute("PRAGMA user_version = 99")
    ledger.close()

    with pytest.raises(UsageError, match=r"ledger.db was written by a newer gitopsd \(schema 99\)"):
        shared.add(contents(2 * GROUP))


def test_an_error_of_the_contents_ends_the_writer(shared: Shared, beside: Callable[[], set[int]]) -> None:
    def refused() -> Iterator[Content]:
        yield from contents(3 * GROUP)
        raise Rejected("no more of it")

    with pytest.raises(Rejected, match="no more of it"):
        shared.add(refused())

    assert not beside()

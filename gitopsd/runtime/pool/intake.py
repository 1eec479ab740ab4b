"""How a worker process opens the store that its jobs read from and write to: the usual `opener` of the worker pool.

What is more than one group of contents is written by a process beside, while the worker unpacks what comes next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from gitopsd.model.tree import File
from gitopsd.plugin.tree import Content
from gitopsd.runtime.pool import beside
from gitopsd.runtime.pool.beside import AHEAD, Beside
from gitopsd.runtime.pool.protocol import Setup
from gitopsd.store import adding
from gitopsd.store.adding import Group
from gitopsd.store.store import Store, Through

OPENER = f"{__name__}:open_store"
MEMORY = 512 << 20
SECONDS = 600
"""Limits of writing one group."""
LARGE = 32 << 20
"""Bytes of a group that is not handed over: its one large file is compressed by a library that needs no interpreter."""

_groups = msgspec.msgpack.Decoder(Group)
_digests = msgspec.msgpack.Decoder(list[bytes])


def open_store(folder: str) -> Shared:
    """The store in this folder, opened for as long as the process lives."""
    return Shared.open(Path(folder))


def open_alone(folder: str) -> Store:
    """The same for the process beside."""
    return Store.open(Path(folder))


def write(place: bytes, store: Store) -> bytes:
    """A job of the process beside: keep a group, and tell the digests."""
    return beside.work(place, lambda found: msgspec.msgpack.encode(store.write(_groups.decode(found))))


class Shared(Store):
    """The store, and with much to write a process that does it meanwhile."""

    def add(self, contents: Iterable[Content], through: Through | None = None) -> Sequence[File]:
        """As `Store.add`."""
        return super().add(contents, through or self._through)

    def _through(self, groups: Iterable[Group]) -> Iterator[Sequence[File]]:
        with ExitStack() as started:
            writing: _Writing | None = None
            for group in groups:
                large = sum(group.sizes) > LARGE
                if not large and not writing and group.full:
                    writing = _Writing(started.enter_context(self._writer()))
                if writing:
                    yield from writing.written(0 if large else AHEAD - 1)
                if writing and not large:
                    writing.begin(group)
                else:
                    yield adding.files(self.write(group), group.sizes)
            if writing:
                yield from writing.written(0)

    def _writer(self) -> Beside:
        setup = Setup(("gitopsd",), f"{__name__}:{open_alone.__name__}", str(self.path))
        return Beside(setup, MEMORY, SECONDS)


class _Writing:
    """Groups that the process beside has to write."""

    def __init__(self, beside: Beside) -> None:
        self._beside = beside
        self._sizes: deque[list[int]] = deque()

    def begin(self, group: Group) -> None:
        """Hand over one more."""
        self._beside.do(f"{__name__}:{write.__name__}", msgspec.msgpack.encode(group))
        self._sizes.append(group.sizes)

    def written(self, left: int) -> Iterator[Sequence[File]]:
        """The files of all but this many, the first to be handed over first; waits for them."""
        while len(self._sizes) > left:
            yield adding.files(_digests.decode(self._beside.answer()), self._sizes.popleft())

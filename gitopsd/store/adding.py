"""Adding bytes of files, with their native ids, in short transactions.

A big file is written and synced beside its place, then renamed inside the transaction that makes its row: *gc* removes
files under the same lock, so a row never lacks its file. What a crash leaves behind has no row and is removed by gc.

What is written is written in a thread, while whoever adds unpacks and digests what comes next.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from tempfile import mkstemp
from typing import NamedTuple, TypeVar

from gitopsd.model.tree import File
from gitopsd.plugin.tree import Content
from gitopsd.store import blobs, columns, retention
from gitopsd.store.address import unpack
from gitopsd.store.blobs import FILES, Form
from gitopsd.store.database import Database
from gitopsd.store.failures import translated
from gitopsd.store.retention import Clock

BIG = 256 * 1024
"""Bytes after compression from which a blob is a file."""
WORTH = 4096
"""Bytes from which compression pays: below it costs more time than the page it saves."""
BATCH_COUNT = 1000
BATCH_BYTES = 4 << 20
"""What one transaction writes: small enough that another writer waits for some milliseconds."""
SORTED_COUNT = 10_000
SORTED_BYTES = 16 << 20
"""What is put in the order of its digests before it is written: a transaction then changes few pages of the indexes, which
would else be most of what it writes."""
CHECKPOINT = 8 * 1024 * 1024


_LAST = (
    "SELECT max(coalesce((SELECT max(id) FROM blob), 0), coalesce((SELECT max(id) FROM bytes), 0),"
    " coalesce((SELECT max(blob) FROM native), 0))"
)
"""The number after which new ones begin: none is given again while anything refers to it, damage included."""

_BLOBS = (
    f"INSERT INTO blob (id, digest, size, form, kept, touched) {columns.ROWS}"
    f" SELECT :first + n, {columns.digest('digests')}, {columns.number('sizes')}, {columns.number('forms')},"
    f" {columns.number('kept')}, :now FROM rows"
)
_BYTES = (
    f"INSERT INTO bytes (id, data) {columns.ROWS} SELECT :first + n, {columns.data('data')} FROM rows"
    f" WHERE {columns.number('forms')} NOT IN ({', '.join(str(int(form)) for form in sorted(FILES))})"
)
_ANEW = "ON CONFLICT (key) DO UPDATE SET blob = excluded.blob WHERE blob <> excluded.blob"
_NATIVE = (
    f"INSERT INTO native (key, blob) {columns.ROWS}"
    f" SELECT CAST({columns.data('keys')} AS TEXT), {columns.number('ids')} FROM rows WHERE true {_ANEW}"
)
_NATIVE_OF_DIGEST = f"INSERT INTO native (key, blob) SELECT ?, id FROM blob WHERE digest = ? {_ANEW}"

T = TypeVar("T")


class _Packed(NamedTuple):
    """A blob ready to be written; `temporary` is where a big one stands already, synced."""

    digest: bytes
    size: int
    form: Form
    data: bytes
    temporary: Path | None = None


def add(database: Database, contents: Iterable[Content], now: Clock) -> Sequence[File]:
    """Keep bytes and their native ids, in short transactions; equal content is stored once."""
    files: list[File] = []
    writer = _Writer(database, now)
    with ThreadPoolExecutor(1, "gitopsd-store") as beside:
        written: Future[None] | None = None
        for group in _cut(contents, lambda content: len(content.data), SORTED_COUNT, SORTED_BYTES):
            digests = [hashlib.sha256(content.data).digest() for content in group]
            files += [File(digest=unpack(d), size=len(c.data)) for d, c in zip(digests, group, strict=True)]
            if written:
                written.result()
            written = beside.submit(writer.write, digests, group)
        if written:
            written.result()
    return files


def _cut(items: Iterable[T], weight: Callable[[T], int], count: int, size: int) -> Iterator[list[T]]:
    """The items in lists that end with this many, or with this weight together."""
    part: list[T] = []
    total = 0
    for item in items:
        part.append(item)
        total += weight(item)
        if len(part) >= count or total >= size:
            yield part
            part, total = [], 0
    if part:
        yield part


@dataclass(slots=True)
class _Writer:
    """Writes one group after the other. `unmoved`: bytes since the log was moved to the main file."""

    database: Database
    now: Clock
    unmoved: int = field(default=0, init=False)

    def write(self, digests: Sequence[bytes], group: Sequence[Content]) -> None:
        """Make the rows of what is new, in the order of the digests, then those of the native ids, in theirs."""
        contents = dict(sorted(zip(digests, (content.data for content in group), strict=True), key=itemgetter(0)))
        with self.database.read() as connection:
            epoch = retention.epoch(connection)
            found = retention.present(connection, "blob", contents)
        # What is there but not fresh may be removed before the transaction: it is written like new content.
        safe = found.keys() - set(retention.stale(found, self.now()))
        numbers = self._add({digest: data for digest, data in contents.items() if digest not in safe})
        named = sorted((content.key, digest) for digest, content in zip(digests, group, strict=True) if content.key)
        self._name(named, numbers, epoch)
        self.unmoved += sum(map(len, contents.values()))
        if self.unmoved >= CHECKPOINT:
            self.database.checkpoint()
            self.unmoved = 0

    def _add(self, contents: Mapping[bytes, bytes]) -> Mapping[bytes, int]:
        """The numbers of what was new."""
        numbers: dict[bytes, int] = {}
        for batch in _cut(contents, lambda digest: len(contents[digest]), BATCH_COUNT, BATCH_BYTES):
            packed: list[_Packed] = []
            try:
                packed.extend(_pack(self.database, digest, contents[digest]) for digest in batch)
                with self.database.write() as connection:
                    numbers.update(_insert(self.database, connection, packed, self.now()))
            finally:
                for blob in packed:
                    if blob.temporary:
                        blob.temporary.unlink(missing_ok=True)
        return numbers

    def _name(self, named: list[tuple[str, bytes]], numbers: Mapping[bytes, int], epoch: int) -> None:
        """Note native ids, sorted, of blobs that are there; of those that were just made the `numbers` are known.

        What was dropped since the `epoch`, in which case its number may be another's by now, is not named, and read again
        by its source.
        """
        for start in range(0, len(named), BATCH_COUNT):
            batch = named[start : start + BATCH_COUNT]
            with self.database.write() as connection:
                if retention.epoch(connection) != epoch:
                    numbers = {}
                # A statement writes a key once: the last of the same is meant.
                new = {key: numbers[digest] for key, digest in batch if digest in numbers}
                old = [(key, digest) for key, digest in batch if digest not in numbers]
                if new:
                    keys = columns.datas("keys", [key.encode() for key in new])
                    ids = columns.numbers("ids", [*new.values()])
                    connection.execute(_NATIVE, {"count": len(new), **keys, **ids})
                connection.executemany(_NATIVE_OF_DIGEST, old)


def _pack(database: Database, digest: bytes, data: bytes) -> _Packed:
    size, form = len(data), Form.PLAIN
    if size >= WORTH:
        small = zlib.compress(data, 1)
        if len(small) < size * 0.9:
            data, form = small, Form.ZLIB
    if len(data) < BIG:
        return _Packed(digest, size, form, data)
    temporary = _write(blobs.place(database, digest), data)
    return _Packed(digest, size, Form(form + 2), data, temporary)


def _write(path: Path, data: bytes) -> Path:
    """The data in a synced file beside `path`."""
    with translated(path):
        for parent in (path.parent.parent, path.parent):
            parent.mkdir(mode=0o700, exist_ok=True)
        descriptor, temporary = mkstemp(prefix="new-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
        except BaseException:
            os.unlink(temporary)
            raise
    return Path(temporary)


def _insert(database: Database, connection: sqlite3.Connection, packed: list[_Packed], now: int) -> Mapping[bytes, int]:
    """Make the rows of new blobs, and return their numbers. One that is there after all is used as it is."""
    there = retention.present(connection, "blob", [blob.digest for blob in packed])
    retention.touch(connection, "blob", there, now)
    new = [blob for blob in packed if blob.digest not in there]
    if not new:
        return {}
    (last,) = connection.execute(_LAST).fetchone()
    rows = {
        "count": len(new),
        "first": last + 1,
        **columns.digests("digests", [blob.digest for blob in new]),
        **columns.numbers("sizes", [blob.size for blob in new]),
        **columns.numbers("forms", [blob.form for blob in new]),
        **columns.numbers("kept", [len(blob.data) for blob in new]),
        **columns.datas("data", [b"" if blob.temporary else blob.data for blob in new]),
        "now": now,
    }
    connection.execute(_BLOBS, rows)
    connection.execute(_BYTES, rows)
    for blob in new:
        if blob.temporary:
            with translated(blob.temporary):
                blob.temporary.rename(blobs.place(database, blob.digest))
    return {blob.digest: number for number, blob in enumerate(new, last + 1)}

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
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from tempfile import mkstemp
from typing import TypeVar

import msgspec

from gitopsd.model.tree import File
from gitopsd.plugin.tree import Content
from gitopsd.store import blobs, retention, rows
from gitopsd.store.address import unpack
from gitopsd.store.blobs import Form
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
SORTED_COUNT = 25_000
SORTED_BYTES = 24 << 20
"""What is put in the order of its digests before it is written: a transaction then changes few pages of the indexes, which
would else be most of what it writes."""
CHECKPOINT = 8 * 1024 * 1024


_LAST = "SELECT max(coalesce((SELECT max(id) FROM blob), 0), coalesce((SELECT max(id) FROM bytes), 0))"
"""The number after which new ones begin: none is given again while anything refers to it, damage included."""

_BLOBS = (
    "INSERT INTO blob (id, digest, size, form, kept, touched) VALUES {rows}"
    " ON CONFLICT (digest) DO UPDATE SET touched = excluded.touched"
)
_BYTES = (
    "WITH new (n, d) AS (VALUES {rows}) INSERT INTO bytes (id, data) SELECT n, d FROM new CROSS JOIN blob ON id = n"
)
"""Of content that was there after all no number is in the table."""
_NATIVE = (
    "INSERT INTO native (key, digest) VALUES {rows}"
    " ON CONFLICT (key) DO UPDATE SET digest = excluded.digest WHERE digest <> excluded.digest"
)

T = TypeVar("T")


class _Packed(msgspec.Struct, frozen=True, gc=False):
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
        contents = dict(sorted(zip(digests, [content.data for content in group], strict=True), key=itemgetter(0)))
        with self.database.read() as connection:
            found = retention.present(connection, "blob", contents)
        # What is there but not fresh may be removed before the transaction: it is written like new content.
        safe = found.keys() - set(retention.stale(found, self.now()))
        new = [item for item in contents.items() if item[0] not in safe]
        for batch in _cut(new, lambda item: len(item[1]), BATCH_COUNT, BATCH_BYTES):
            self._add(batch)
        named = {content.key: digest for content, digest in zip(group, digests, strict=True) if content.key}
        self._name(sorted(named.items()))
        self.unmoved += sum(map(len, contents.values()))
        if self.unmoved >= CHECKPOINT:
            self.database.checkpoint()
            self.unmoved = 0

    def _add(self, batch: Sequence[tuple[bytes, bytes]]) -> None:
        packed: list[_Packed] = []
        try:
            packed.extend(_pack(self.database, digest, data) for digest, data in batch)
            with self.database.write() as connection:
                _insert(self.database, connection, packed, self.now())
        finally:
            for blob in packed:
                if blob.temporary:
                    blob.temporary.unlink(missing_ok=True)

    def _name(self, named: Sequence[tuple[str, bytes]]) -> None:
        """Note what native ids mean, in the order of the ids."""
        for start in range(0, len(named), BATCH_COUNT):
            with self.database.write() as connection:
                rows.write(connection, _NATIVE, named[start : start + BATCH_COUNT])


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


def _insert(database: Database, connection: sqlite3.Connection, packed: Sequence[_Packed], now: int) -> None:
    """Make the rows of new blobs. One that is there after all is used as it is."""
    (last,) = connection.execute(_LAST).fetchone()
    numbered = list(enumerate(packed, last + 1))
    rows.write(
        connection,
        _BLOBS,
        [(n, blob.digest, blob.size, int(blob.form), len(blob.data), now) for n, blob in numbered],
    )
    rows.write(connection, _BYTES, [(n, blob.data) for n, blob in numbered if not blob.temporary])
    for number, blob in numbered:
        if blob.temporary and connection.execute("SELECT 1 FROM blob WHERE id = ?", (number,)).fetchone():
            with translated(blob.temporary):
                blob.temporary.rename(blobs.place(database, blob.digest))

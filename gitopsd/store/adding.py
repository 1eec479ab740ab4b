"""Adding bytes of files, with their native ids, in short transactions.

A big file is written and synced beside its place, then renamed inside the transaction that makes its row: *gc* removes
files under the same lock, so a row never lacks its file. What a crash leaves behind has no row and is removed by gc.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
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
SORTED_COUNT = 10_000
SORTED_BYTES = 16 << 20
"""What is put in the order of its digests before it is written: a transaction then changes few pages of the indexes, which
would else be most of what it writes."""
CHECKPOINT = 4 << 20
"""Bytes of a group after which the log is moved to the main file."""


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


class Group(msgspec.Struct, frozen=True, gc=False):
    """Contents that are written in the order of their digests: native ids and bytes, equally many."""

    keys: list[str]
    data: list[bytes]

    @property
    def sizes(self) -> list[int]:
        """The bytes of each."""
        return list(map(len, self.data))

    @property
    def full(self) -> bool:
        """Whether another one may follow."""
        return len(self.data) >= SORTED_COUNT or sum(self.sizes) >= SORTED_BYTES


def groups(contents: Iterable[Content]) -> Iterator[Group]:
    """The contents in groups of some size."""
    for part in _cut(contents, lambda content: len(content.data), SORTED_COUNT, SORTED_BYTES):
        yield Group([content.key for content in part], [content.data for content in part])


def write(database: Database, group: Group, now: Clock) -> list[bytes]:
    """Make the rows of what is new, in the order of the digests, then those of the native ids, in theirs.

    In short transactions; equal content is stored once. Returns the digests.
    """
    digests = [hashlib.sha256(data).digest() for data in group.data]
    contents = dict(sorted(zip(digests, group.data, strict=True), key=itemgetter(0)))
    with database.read() as connection:
        found = retention.present(connection, "blob", contents)
    # What is there but not fresh may be removed before the transaction: it is written like new content.
    safe = found.keys() - set(retention.stale(found, now(), retention.FRESH // 2))
    new = [item for item in contents.items() if item[0] not in safe]
    for batch in _cut(new, lambda item: len(item[1]), BATCH_COUNT, BATCH_BYTES):
        _add(database, batch, now)
    named = {key: digest for key, digest in zip(group.keys, digests, strict=True) if key}
    _name(database, sorted(named.items()))
    if sum(group.sizes) >= CHECKPOINT:
        database.checkpoint()
    return digests


def files(digests: Iterable[bytes], sizes: Iterable[int]) -> list[File]:
    """What contents are known by."""
    return [File(digest=unpack(digest), size=size) for digest, size in zip(digests, sizes, strict=True)]


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


def _add(database: Database, batch: Sequence[tuple[bytes, bytes]], now: Clock) -> None:
    packed: list[_Packed] = []
    try:
        packed.extend(_pack(database, digest, data) for digest, data in batch)
        with database.write() as connection:
            _insert(database, connection, packed, now())
    finally:
        for blob in packed:
            if blob.temporary:
                blob.temporary.unlink(missing_ok=True)


def _name(database: Database, named: Sequence[tuple[str, bytes]]) -> None:
    """Note what native ids mean, in the order of the ids."""
    for start in range(0, len(named), BATCH_COUNT):
        with database.write() as connection:
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

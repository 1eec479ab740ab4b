"""Bytes of files, once each. Small ones are rows, compressed where that saves something; big ones are files by digest.

A big file is written and synced beside its place, then renamed inside the transaction that makes its row: *gc* removes
files under the same lock, so a row never lacks its file. What a crash leaves behind has no row and is removed by gc.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from tempfile import mkstemp
from typing import TypeVar

from gitopsd.model.digest import Digest, of_bytes
from gitopsd.model.tree import File
from gitopsd.plugin.tree import Content
from gitopsd.store import damage, retention
from gitopsd.store.address import damaged, missing, pack, unpack
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


class Form(IntEnum):
    """Where the bytes are, and how."""

    PLAIN = 0
    ZLIB = 1
    PLAIN_FILE = 2
    ZLIB_FILE = 3


T = TypeVar("T")
_LAST = (
    "SELECT max(coalesce((SELECT max(id) FROM blob), 0), coalesce((SELECT max(id) FROM bytes), 0),"
    " coalesce((SELECT max(blob) FROM native), 0))"
)
"""The number after which new ones begin: none is given again while anything refers to it, damage included."""
_FILES = frozenset({Form.PLAIN_FILE, Form.ZLIB_FILE})
_ZLIB = frozenset({Form.ZLIB, Form.ZLIB_FILE})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packed:
    """A blob ready to be written; `temporary` is where a big one stands already, synced."""

    digest: bytes
    size: int
    form: Form
    data: bytes
    temporary: Path | None = None


def folder(database: Database) -> Path:
    """Where big blobs are."""
    return database.path.parent / "blobs"


def place(database: Database, digest: bytes) -> Path:
    """The file of a big blob."""
    name = digest.hex()
    return folder(database) / name[:2] / name


def known(database: Database, keys: Sequence[str], now: Clock) -> Mapping[str, File]:
    """Native ids that are in the store, with their files; what is found counts as used now."""
    found: dict[str, File] = {}
    old: list[bytes] = []
    fresh = now() - retention.FRESH
    with database.read() as connection:
        for chunk in retention.chunks(list(keys)):
            for key, digest, size, touched in _by_key(connection, chunk):
                found[key] = File(digest=unpack(digest), size=size)
                if touched < fresh:
                    old.append(digest)
    _touch(database, old, now)
    return found


def require(database: Database, files: Mapping[bytes, int], now: Clock) -> None:
    """Mark blobs as used now. Raises `Transient` naming one that is not there with this size (bytes)."""
    old: list[bytes] = []
    with database.read() as connection:
        for chunk in retention.chunks(list(files)):
            found = retention.present(connection, "blob", chunk)
            for digest in chunk:
                if digest not in found or found[digest][0] != files[digest]:
                    raise missing(unpack(digest))
            old += retention.stale(found, now())
    _touch(database, old, now)


def add(database: Database, contents: Iterable[Content], now: Clock) -> Sequence[File]:
    """Keep bytes and their native ids, in short transactions; equal content is stored once."""
    files: list[File] = []
    written = 0
    for group in _cut(contents, lambda content: len(content.data), SORTED_COUNT, SORTED_BYTES):
        digests = [of_bytes(content.data) for content in group]
        packed = [pack(digest) for digest in digests]
        numbers = _add(database, {d: c.data for d, c in zip(packed, group, strict=True)}, now)
        _name(database, sorted((c.key, d) for d, c in zip(packed, group, strict=True) if c.key), numbers)
        files += [File(digest=d, size=len(c.data)) for d, c in zip(digests, group, strict=True)]
        written += sum(len(content.data) for content in group)
        if written >= CHECKPOINT:
            database.checkpoint()
            written = 0
    return files


def read(database: Database, digest: Digest) -> bytes:
    """The bytes, checked. Raises `Transient`; content that is damaged is dropped with all that refers to it."""
    packed = pack(digest)
    stored = find(database, packed)
    data = check(database, packed, *stored) if stored else None
    if data is None:
        damage.drop(database, [packed])
        raise damaged(digest) if stored else missing(digest)
    return data


def find(database: Database, digest: bytes) -> tuple[int, int, bytes | None] | None:
    """Size, form and data of a row; data is None for a big one."""
    query = "SELECT size, form, CAST(data AS BLOB) FROM blob LEFT JOIN bytes ON bytes.id = blob.id WHERE digest = ?"
    with database.read() as connection:
        row = connection.execute(query, (digest,)).fetchone()
    return row and tuple(row)


def check(database: Database, digest: bytes, size: int, form: int, data: bytes | None) -> bytes | None:
    """The bytes of a row, or None where they are not what the digest says."""
    if form in _FILES:
        data = _file(place(database, digest))
    if data is not None and form in _ZLIB:
        data = _inflated(data, size)
    return data if data is not None and hashlib.sha256(data).digest() == digest else None


def _file(path: Path) -> bytes | None:
    with translated(path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


def _inflated(data: bytes, size: int) -> bytes | None:
    """Never more than one byte over `size`, whatever a damaged row holds."""
    try:
        return zlib.decompressobj().decompress(data, size + 1)
    except zlib.error:
        return None


def _by_key(connection: sqlite3.Connection, keys: list[str]) -> Iterator[tuple[str, bytes, int, int]]:
    marks = ",".join("?" * len(keys))
    query = f"SELECT key, digest, size, touched FROM native JOIN blob ON blob.id = native.blob WHERE key IN ({marks})"
    yield from connection.execute(query, keys)


def _touch(database: Database, digests: list[bytes], now: Clock) -> None:
    for chunk in retention.chunks(digests):
        with database.write() as connection:
            retention.touch(connection, "blob", chunk, now())


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


def _add(database: Database, contents: Mapping[bytes, bytes], now: Clock) -> Mapping[bytes, int]:
    """Make the rows of what is new, in the order of the digests, and return their numbers."""
    with database.read() as connection:
        found = retention.present(connection, "blob", contents)
    # What is there but not fresh may be removed before the transaction: it is written like new content.
    safe = found.keys() - set(retention.stale(found, now()))
    fresh = sorted(contents.keys() - safe)
    numbers: dict[bytes, int] = {}
    for batch in _cut(fresh, lambda digest: len(contents[digest]), BATCH_COUNT, BATCH_BYTES):
        packed: list[_Packed] = []
        try:
            packed.extend(_pack(database, digest, contents[digest]) for digest in batch)
            with database.write() as connection:
                numbers.update(_insert(database, connection, packed, now()))
        finally:
            for blob in packed:
                if blob.temporary:
                    blob.temporary.unlink(missing_ok=True)
    return numbers


def _pack(database: Database, digest: bytes, data: bytes) -> _Packed:
    size, form = len(data), Form.PLAIN
    if size >= WORTH:
        small = zlib.compress(data, 1)
        if len(small) < size * 0.9:
            data, form = small, Form.ZLIB
    if len(data) < BIG:
        return _Packed(digest=digest, size=size, form=form, data=data)
    temporary = _write(place(database, digest), data)
    return _Packed(digest=digest, size=size, form=Form(form + 2), data=data, temporary=temporary)


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
    (last,) = connection.execute(_LAST).fetchone()
    new = list(enumerate((blob for blob in packed if blob.digest not in there), last + 1))
    connection.executemany(
        "INSERT INTO blob (id, digest, size, form, kept, touched) VALUES (?, ?, ?, ?, ?, ?)",
        [(number, blob.digest, blob.size, blob.form, len(blob.data), now) for number, blob in new],
    )
    connection.executemany(
        "INSERT INTO bytes (id, data) VALUES (?, ?)",
        [(number, blob.data) for number, blob in new if blob.form not in _FILES],
    )
    for _, blob in new:
        if blob.temporary:
            with translated(blob.temporary):
                blob.temporary.rename(place(database, blob.digest))
    return {blob.digest: number for number, blob in new}


def _name(database: Database, named: list[tuple[str, bytes]], numbers: Mapping[bytes, int]) -> None:
    """Note native ids, sorted, of blobs that are there; of those that were just made the `numbers` are known.

    The digest has to be that of the number still: what was removed meanwhile is not named, and read again by its source.
    """
    anew = " ON CONFLICT (key) DO UPDATE SET blob = excluded.blob WHERE blob <> excluded.blob"
    for start in range(0, len(named), BATCH_COUNT):
        batch = named[start : start + BATCH_COUNT]
        with database.write() as connection:
            connection.executemany(
                f"INSERT INTO native (key, blob) SELECT ?, id FROM blob WHERE id = ? AND digest = ?{anew}",
                [(key, numbers[digest], digest) for key, digest in batch if digest in numbers],
            )
            connection.executemany(
                f"INSERT INTO native (key, blob) SELECT ?, id FROM blob WHERE digest = ?{anew}",
                [(key, digest) for key, digest in batch if digest not in numbers],
            )

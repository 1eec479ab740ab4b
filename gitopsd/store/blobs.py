"""Bytes of files, once each. Small ones are rows, compressed where that saves something; big ones are files by digest.

A big file is written and synced beside its place, then renamed inside the transaction that makes its row: *gc* removes
files under the same lock, so a row never lacks its file. What a crash leaves behind has no row and is removed by gc.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from tempfile import mkstemp

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
BATCH_COUNT = 500
BATCH_BYTES = 1024 * 1024
"""Small enough that another writer waits for some milliseconds; in smaller ones the same pages of the indexes are written
again and again."""
CHECKPOINT = 8 * 1024 * 1024


class Form(IntEnum):
    """Where the bytes are, and how."""

    PLAIN = 0
    ZLIB = 1
    PLAIN_FILE = 2
    ZLIB_FILE = 3


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
    with database.read() as connection:
        found = retention.present(connection, "blob", files)
    for digest, size in files.items():
        if digest not in found or found[digest][0] != size:
            raise missing(unpack(digest))
    _touch(database, retention.stale(found, now()), now)


def add(database: Database, contents: Iterable[Content], now: Clock) -> Sequence[File]:
    """Keep bytes and their native ids, a short transaction per batch; equal content is stored once."""
    files: list[File] = []
    written = 0
    for batch in _batches(contents):
        digests = [of_bytes(content.data) for content in batch]
        _add(database, batch, [pack(digest) for digest in digests], now)
        files += [File(digest=d, size=len(c.data)) for d, c in zip(digests, batch, strict=True)]
        written += sum(len(content.data) for content in batch)
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
    return data if data is not None and pack(of_bytes(data)) == digest else None


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


def _batches(contents: Iterable[Content]) -> Iterator[list[Content]]:
    batch: list[Content] = []
    size = 0
    for content in contents:
        batch.append(content)
        size += len(content.data)
        if len(batch) >= BATCH_COUNT or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _add(database: Database, batch: list[Content], digests: list[bytes], now: Clock) -> None:
    with database.read() as connection:
        found = retention.present(connection, "blob", set(digests))
    # What is there but not fresh may be removed before the transaction: it is written like new content.
    safe = found.keys() - set(retention.stale(found, now()))
    fresh = {d: c.data for d, c in zip(digests, batch, strict=True) if d not in safe}
    packed: list[_Packed] = []
    named = [(c.key, d) for c, d in zip(batch, digests, strict=True) if c.key]
    try:
        packed.extend(_pack(database, digest, data) for digest, data in fresh.items())
        with database.write() as connection:
            numbers = _insert(database, connection, packed, now())
            _name(connection, named, numbers)
    finally:
        for blob in packed:
            if blob.temporary:
                blob.temporary.unlink(missing_ok=True)


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
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM blob").fetchone()
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


def _name(connection: sqlite3.Connection, named: list[tuple[str, bytes]], numbers: Mapping[bytes, int]) -> None:
    """Note native ids; `numbers` are those of the blobs that were just made, which need not be looked up."""
    anew = " ON CONFLICT (key) DO UPDATE SET blob = excluded.blob WHERE blob <> excluded.blob"
    connection.executemany(
        f"INSERT INTO native (key, blob) VALUES (?, ?){anew}",
        [(key, numbers[digest]) for key, digest in named if digest in numbers],
    )
    connection.executemany(
        f"INSERT INTO native (key, blob) SELECT ?, id FROM blob WHERE digest = ?{anew}",
        [(key, digest) for key, digest in named if digest not in numbers],
    )

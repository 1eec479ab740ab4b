"""Bytes of files, once each. Small ones are rows, compressed where that saves something; big ones are files by digest.

How they come to be is in `adding`, how they go in `gc` and `damage`.
"""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from pathlib import Path

from gitopsd.model.digest import Digest
from gitopsd.model.tree import File
from gitopsd.store import damage, retention, rows
from gitopsd.store.address import damaged, missing, pack, unpack
from gitopsd.store.database import Database
from gitopsd.store.failures import translated
from gitopsd.store.retention import Clock


class Form(IntEnum):
    """Where the bytes are, and how."""

    PLAIN = 0
    ZLIB = 1
    PLAIN_FILE = 2
    ZLIB_FILE = 3


FILES = frozenset({Form.PLAIN_FILE, Form.ZLIB_FILE})
"""Those that are no rows."""
_ZLIB = frozenset({Form.ZLIB, Form.ZLIB_FILE})
_AMISS = (
    "WITH wanted (d, s) AS (VALUES {rows}) SELECT d, id IS NOT NULL"
    " FROM wanted LEFT JOIN blob ON digest = d AND size = s WHERE id IS NULL OR touched < ?"
)
"""Of many blobs with their sizes those that are not there, or whose last use is not fresh."""


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
        for digest, there in rows.find(connection, _AMISS, sorted(files.items()), now() - retention.FRESH):
            if not there:
                raise missing(unpack(digest))
            old.append(digest)
    _touch(database, old, now)


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
    if form in FILES:
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
    query = f"SELECT key, digest, size, touched FROM native JOIN blob USING (digest) WHERE key IN ({marks})"
    yield from connection.execute(query, keys)


def _touch(database: Database, digests: list[bytes], now: Clock) -> None:
    for chunk in retention.chunks(digests):
        with database.write() as connection:
            retention.touch(connection, "blob", chunk, now())

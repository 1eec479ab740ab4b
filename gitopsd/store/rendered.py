"""Rendered sets by the digest of all that they were made of. Never one with a Secret: nothing here is encrypted.

A set is found by its key, or as the latest one of an app's intent, whose `reads` tell whether the present tree would still
give the same. It is a cache: what does not decode or match its digest counts as not there.
"""

from __future__ import annotations

import sqlite3
import zlib

import msgspec

from gitopsd.model.digest import Digest, of_bytes
from gitopsd.model.identity import ObjectRef
from gitopsd.model.manifest import Rendered
from gitopsd.store.address import pack
from gitopsd.store.database import Database

KEPT = 3
"""Sets per app and intent: the present one and what a rollback asks for."""
MOST = 64 * 1024 * 1024
"""Bytes of a set before compression; a larger one is rendered again instead."""

_DECODER = msgspec.json.Decoder(Rendered)


def keep(database: Database, key: Digest, app: ObjectRef, intent: Digest, rendered: Rendered) -> None:
    """Keep a set as the latest of this app and intent; sets of the app's other intents go.

    Raises ValueError for a sensitive one.
    """
    if rendered.sensitive:
        raise ValueError(f"{app}: the rendered set holds a Secret and is not stored")
    plain = msgspec.json.encode(rendered)
    if len(plain) > MOST:
        return
    data = zlib.compress(plain, 1)
    with database.write() as connection:
        connection.execute("DELETE FROM rendered WHERE key = ?", (key,))
        connection.execute("DELETE FROM rendered WHERE app = ? AND intent <> ?", (str(app), intent))
        connection.execute(
            "INSERT INTO rendered (key, app, intent, digest, data) VALUES (?, ?, ?, ?, ?)",
            (key, str(app), intent, pack(of_bytes(data)), data),
        )
        connection.execute(
            "DELETE FROM rendered WHERE app = ? AND id NOT IN"
            " (SELECT id FROM rendered WHERE app = ? ORDER BY id DESC LIMIT ?)",
            (str(app), str(app), KEPT),
        )


def by_key(database: Database, key: Digest) -> Rendered | None:
    """The set of this key."""
    with database.read() as connection:
        row = connection.execute("SELECT digest, CAST(data AS BLOB) FROM rendered WHERE key = ?", (key,)).fetchone()
    return decode(*row) if row else None


def latest(database: Database, app: ObjectRef, intent: Digest) -> tuple[Digest, Rendered] | None:
    """Key and set that was kept last for this app under this intent."""
    query = "SELECT key, digest, CAST(data AS BLOB) FROM rendered WHERE app = ? AND intent = ? ORDER BY id DESC LIMIT 1"
    with database.read() as connection:
        row = connection.execute(query, (str(app), intent)).fetchone()
    rendered = decode(row[1], row[2]) if row else None
    return (Digest(row[0]), rendered) if rendered else None


def forget(connection: sqlite3.Connection, app: ObjectRef) -> None:
    """Drop an app's sets. Inside a write transaction."""
    connection.execute("DELETE FROM rendered WHERE app = ?", (str(app),))


def decode(digest: bytes, data: bytes) -> Rendered | None:
    """A stored set, or None where its bytes are damaged or too many."""
    if pack(of_bytes(data)) != digest:
        return None
    stream = zlib.decompressobj()
    plain = stream.decompress(data, MOST)
    return None if stream.unconsumed_tail else _DECODER.decode(plain)

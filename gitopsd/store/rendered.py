"""Rendered sets by the digest of all that they were made of. Never one with a Secret: nothing here is encrypted.

A set is found by its key, or as the latest one of an app's intent. Its outline stands apart from its objects, so that telling
whether the present tree would still give the same reads none of them. It is a cache: what does not decode or match its
digest counts as not there.
"""

from __future__ import annotations

import sqlite3
import zlib

import msgspec

from gitopsd.model.digest import Digest, of_bytes
from gitopsd.model.identity import ObjectRef
from gitopsd.model.manifest import Manifest, Outline, Rendered
from gitopsd.store.address import pack
from gitopsd.store.database import Database

KEPT = 3
"""Sets per app and intent: the present one and what a rollback asks for."""
MOST = 64 * 1024 * 1024
"""Bytes of a set before compression; a larger one is rendered again instead."""

_OUTLINE = msgspec.json.Decoder(Outline)
_OBJECTS = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(Manifest)


def keep(database: Database, app: ObjectRef, intent: Digest, rendered: Rendered, outline: Outline) -> None:
    """Keep a set as the latest of this app and intent; sets of the app's other intents go.

    Raises ValueError for a sensitive one.
    """
    if rendered.sensitive:
        raise ValueError(f"{app}: the rendered set holds a Secret and is not stored")
    plain = msgspec.json.encode(rendered.manifests)
    if len(plain) > MOST:
        return
    data, head = zlib.compress(plain, 1), msgspec.json.encode(outline)
    with database.write() as connection:
        connection.execute("DELETE FROM rendered WHERE key = ?", (outline.key,))
        connection.execute("DELETE FROM rendered WHERE app = ? AND intent <> ?", (str(app), intent))
        connection.execute(
            "INSERT INTO rendered (key, app, intent, outline, digest, data) VALUES (?, ?, ?, ?, ?, ?)",
            (outline.key, str(app), intent, head, pack(of_bytes(data)), data),
        )
        connection.execute(
            "DELETE FROM rendered WHERE app = ? AND id NOT IN"
            " (SELECT id FROM rendered WHERE app = ? ORDER BY id DESC LIMIT ?)",
            (str(app), str(app), KEPT),
        )


def by_key(database: Database, key: Digest) -> tuple[Manifest, ...] | None:
    """The objects of the set of this key."""
    with database.read() as connection:
        row = connection.execute("SELECT digest, CAST(data AS BLOB) FROM rendered WHERE key = ?", (key,)).fetchone()
    return decode(*row) if row else None


def latest(database: Database, app: ObjectRef, intent: Digest) -> Outline | None:
    """The outline of the set that was kept last for this app under this intent."""
    query = "SELECT outline FROM rendered WHERE app = ? AND intent = ? ORDER BY id DESC LIMIT 1"
    with database.read() as connection:
        row = connection.execute(query, (str(app), intent)).fetchone()
    return _OUTLINE.decode(row[0]) if row else None


def forget(connection: sqlite3.Connection, app: ObjectRef) -> None:
    """Drop an app's sets. Inside a write transaction."""
    connection.execute("DELETE FROM rendered WHERE app = ?", (str(app),))


def decode(digest: bytes, data: bytes) -> tuple[Manifest, ...] | None:
    """The stored objects, or None where their bytes are damaged or too many.

    One by one: whoever decodes a large set in a thread lets the others in between.
    """
    if pack(of_bytes(data)) != digest:
        return None
    stream = zlib.decompressobj()
    plain = stream.decompress(data, MOST)
    return None if stream.unconsumed_tail else tuple(map(_OBJECT.decode, _OBJECTS.decode(plain)))

"""The status of each declared object and its generation, which grows by one when its spec changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

import msgspec

from gitopsd.model.digest import Digest
from gitopsd.model.identity import ObjectRef
from gitopsd.store.database import Database


def of_object(database: Database, ref: ObjectRef) -> Mapping[str, Any] | None:
    """The status that was kept last."""
    with database.read() as connection:
        row = connection.execute("SELECT body FROM status WHERE ref = ?", (str(ref),)).fetchone()
        return msgspec.json.decode(row[0]) if row else None


def of_all(database: Database) -> Mapping[ObjectRef, Mapping[str, Any]]:
    """Every status, in the order of their refs."""
    with database.read() as connection:
        rows = connection.execute("SELECT ref, body FROM status").fetchall()
        return dict(sorted((_ref(text), msgspec.json.decode(body)) for text, body in rows))


def keep(database: Database, ref: ObjectRef, status: Mapping[str, Any]) -> None:
    """Replace the status of an object (a JSON value)."""
    body = msgspec.json.encode(status)
    with database.write() as connection:
        connection.execute("INSERT OR REPLACE INTO status (ref, body) VALUES (?, ?)", (str(ref), body))


def generation(database: Database, ref: ObjectRef, spec: Digest) -> int:
    """1 for a new object; one more than before when its spec has another digest."""
    query = "SELECT number, spec FROM generation WHERE ref = ?"
    with database.read() as connection:
        row = connection.execute(query, (str(ref),)).fetchone()
    if row and row[1] == spec:
        return int(row[0])
    with database.write() as connection:
        rows = connection.execute(
            "INSERT INTO generation (ref, spec, number) VALUES (?, ?, 1) ON CONFLICT (ref) DO UPDATE"
            " SET spec = excluded.spec, number = number + (spec <> excluded.spec) RETURNING number",
            (str(ref), spec),
        ).fetchall()
    return int(rows[0][0])


def forget(connection: sqlite3.Connection, ref: ObjectRef) -> None:
    """Drop an object's status and generation. Inside a write transaction."""
    connection.execute("DELETE FROM status WHERE ref = ?", (str(ref),))
    connection.execute("DELETE FROM generation WHERE ref = ?", (str(ref),))


def _ref(text: str) -> ObjectRef:
    kind, namespace, name = text.split("/", 2)
    return ObjectRef(kind=kind, namespace=namespace, name=name)

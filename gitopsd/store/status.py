"""The status of each declared object and its generation, which grows by one when its spec changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

import msgspec

from gitopsd.model.digest import Digest
from gitopsd.model.identity import ObjectRef
from gitopsd.store.database import Database

_COUNTED = (
    "INSERT INTO generation (ref, spec, number) VALUES (?, ?, 1) ON CONFLICT (ref) DO UPDATE"
    " SET spec = excluded.spec, number = number + (spec <> excluded.spec) RETURNING number"
)


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


def keep(database: Database, statuses: Mapping[ObjectRef, Mapping[str, Any]]) -> None:
    """Replace the statuses of these objects (JSON values), in one transaction."""
    encoded = [(str(ref), msgspec.json.encode(status)) for ref, status in statuses.items()]
    with database.write() as connection:
        connection.executemany("INSERT OR REPLACE INTO status (ref, body) VALUES (?, ?)", encoded)


def generations(database: Database, specs: Mapping[ObjectRef, Digest]) -> Mapping[ObjectRef, int]:
    """1 for a new object; one more than before when its spec has another digest. One transaction, none where all is as before."""
    known = _known(database)
    changed = [(str(ref), spec) for ref, spec in specs.items() if known.get(str(ref), (0, ""))[1] != spec]
    if changed:
        with database.write() as connection:
            for ref, spec in changed:
                row = connection.execute(_COUNTED, (ref, spec)).fetchone()
                known[ref] = (row[0], spec)
    return {ref: known[str(ref)][0] for ref in specs}


def generations_with(database: Database, specs: Mapping[ObjectRef, Digest]) -> Mapping[ObjectRef, int]:
    """What `generations` would answer; nothing is written."""
    known = _known(database)
    before = {ref: known.get(str(ref), (0, "")) for ref in specs}
    return {ref: number + (spec != specs[ref]) for ref, (number, spec) in before.items()}


def _known(database: Database) -> dict[str, tuple[int, str]]:
    with database.read() as connection:
        rows = connection.execute("SELECT ref, number, spec FROM generation").fetchall()
    return {ref: (number, spec) for ref, number, spec in rows}


def forget(connection: sqlite3.Connection, ref: ObjectRef) -> None:
    """Drop an object's status and generation. Inside a write transaction."""
    connection.execute("DELETE FROM status WHERE ref = ?", (str(ref),))
    connection.execute("DELETE FROM generation WHERE ref = ?", (str(ref),))


def _ref(text: str) -> ObjectRef:
    kind, namespace, name = text.split("/", 2)
    return ObjectRef(kind=kind, namespace=namespace, name=name)

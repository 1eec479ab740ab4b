"""What each app declared in its last render: the documents of its children, for whoever shows them without rendering anew."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

import msgspec

from gitopsd.model.identity import ObjectRef
from gitopsd.model.manifest import Body
from gitopsd.store.database import Database


def of_all(database: Database) -> Mapping[ObjectRef, Sequence[Body]]:
    """The documents by parent, each in the order of its render."""
    with database.read() as connection:
        rows = connection.execute("SELECT parent, bodies FROM child").fetchall()
        return {ObjectRef.parse(parent): msgspec.json.decode(bodies) for parent, bodies in rows}


def keep(database: Database, children: Mapping[ObjectRef, Sequence[Body]]) -> None:
    """Replace what these apps declared, in one transaction."""
    rows = [(str(parent), msgspec.json.encode(bodies)) for parent, bodies in children.items() if bodies]
    with database.write() as connection:
        for parent in children:
            forget(connection, parent)
        connection.executemany("INSERT INTO child (parent, bodies) VALUES (?, ?)", rows)


def forget(connection: sqlite3.Connection, parent: ObjectRef) -> None:
    """Drop what an app declared. Inside a write transaction."""
    connection.execute("DELETE FROM child WHERE parent = ?", (str(parent),))

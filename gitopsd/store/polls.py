"""When each source was last found to be up to date, so that a start need not ask all of them at once. Losing it costs polls."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime

from gitopsd.model.digest import Digest
from gitopsd.model.identity import ObjectRef
from gitopsd.model.tree import Polled
from gitopsd.store.database import Database


def of_all(database: Database) -> Mapping[ObjectRef, Polled]:
    """The last poll of every source."""
    with database.read() as connection:
        rows = connection.execute("SELECT source, at, spec, failing FROM polled").fetchall()
    return {
        ObjectRef.parse(source): Polled(at=datetime.fromtimestamp(at, UTC), spec=Digest(spec), failing=bool(failing))
        for source, at, spec, failing in rows
    }


def keep(database: Database, polls: Mapping[ObjectRef, Polled]) -> None:
    """Replace the polls of these sources, in one transaction."""
    rows = [(str(source), poll.at.timestamp(), poll.spec, poll.failing) for source, poll in polls.items()]
    with database.write() as connection:
        connection.executemany("INSERT OR REPLACE INTO polled (source, at, spec, failing) VALUES (?, ?, ?, ?)", rows)


def forget(connection: sqlite3.Connection, source: ObjectRef) -> None:
    """Drop a source's poll. Inside a write transaction."""
    connection.execute("DELETE FROM polled WHERE source = ?", (str(source),))

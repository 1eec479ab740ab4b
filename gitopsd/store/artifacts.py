"""Which tree a source stands at, and at which it stood before: the references that keep content from being removed."""

from __future__ import annotations

import sqlite3

import msgspec

from gitopsd.model.identity import ObjectRef
from gitopsd.model.tree import Artifact
from gitopsd.store import retention
from gitopsd.store.address import missing, pack
from gitopsd.store.database import Database
from gitopsd.store.retention import Clock

_DECODER = msgspec.json.Decoder(Artifact)


def refer(database: Database, artifact: Artifact, keep: int, now: Clock) -> None:
    """Make this the source's artifact, and keep the latest `keep` of it, this one included.

    The same revision and tree under the same spec replaces what was written before. Raises `Transient` where the tree is
    not in the store.
    """
    source, tree = str(artifact.source), pack(artifact.tree)
    with database.write() as connection:
        if not retention.use_nodes(connection, [tree], now()):
            raise missing(artifact.tree)
        rows = _rows(connection, source)
        same = [number for number, _, old in rows if _same(old, artifact)]
        late = [number for number, _, old in rows if not _same(old, artifact)][max(keep, 1) - 1 :]
        _drop(connection, [row for row in rows if row[0] in {*same, *late}], now())
        body = msgspec.json.encode(artifact)
        connection.execute("INSERT INTO artifact (source, tree, body) VALUES (?, ?, ?)", (source, tree, body))


def history(database: Database, source: ObjectRef) -> tuple[Artifact, ...]:
    """The source's artifacts that are kept, the newest first."""
    with database.read() as connection:
        return tuple(artifact for _, _, artifact in _rows(connection, str(source)))


def current(database: Database, source: ObjectRef) -> Artifact | None:
    """The source's newest artifact."""
    query = "SELECT body FROM artifact WHERE source = ? ORDER BY id DESC LIMIT 1"
    with database.read() as connection:
        row = connection.execute(query, (str(source),)).fetchone()
        return _DECODER.decode(row[0]) if row else None


def sources(database: Database, kind: str) -> tuple[ObjectRef, ...]:
    """The sources of this kind that have artifacts."""
    query = "SELECT body FROM artifact WHERE id IN (SELECT max(id) FROM artifact WHERE source GLOB ? GROUP BY source)"
    with database.read() as connection:
        rows = connection.execute(query, (f"{kind}/*",)).fetchall()
    return tuple(_DECODER.decode(body).source for (body,) in rows)


def forget(connection: sqlite3.Connection, source: ObjectRef, now: int) -> None:
    """Drop all of a source's artifacts. Inside a write transaction."""
    _drop(connection, _rows(connection, str(source)), now)


_Row = tuple[int, bytes, Artifact]


def _rows(connection: sqlite3.Connection, source: str) -> list[_Row]:
    rows = connection.execute("SELECT id, tree, body FROM artifact WHERE source = ? ORDER BY id DESC", (source,))
    return [(number, tree, _DECODER.decode(body)) for number, tree, body in rows]


def _same(one: Artifact, other: Artifact) -> bool:
    return (one.revision, one.tree, one.spec) == (other.revision, other.tree, other.spec)


def _drop(connection: sqlite3.Connection, rows: list[_Row], now: int) -> None:
    """Their trees count as used now: somebody may still be reading one."""
    connection.executemany("DELETE FROM artifact WHERE id = ?", [(number,) for number, _, _ in rows])
    retention.use_nodes(connection, {tree for _, tree, _ in rows}, now)

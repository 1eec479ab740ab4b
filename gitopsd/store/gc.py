"""Removing content that nothing refers to and nobody used lately. For a worker process: it reads every node in use.

First everything in use is gathered without any lock: what artifacts refer to, and what was used within the grace period,
with all below. Then the rest is removed in short transactions, parents before children, native ids last. When old content
came into use again meanwhile (the epoch differs), the list is made again. Killed at any moment, it leaves a whole store.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from gitopsd.model.digest import of_bytes
from gitopsd.store import blobs, damage, nodes, retention
from gitopsd.store.address import pack
from gitopsd.store.database import Database
from gitopsd.store.failures import translated

LEAST_GRACE = timedelta(seconds=2 * retention.FRESH)
"""A use may be up to `FRESH` older than it is; the rest is for what is between its look and its transaction."""

_CHUNK = 200
_PAGES = 500
_ROUNDS = 5
_GONE = "NOT EXISTS (SELECT 1 FROM blob WHERE blob.digest = native.digest)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was removed: nodes and blobs together, and the bytes that they took."""

    removed: int = 0
    freed: int = 0

    def __add__(self, other: Report) -> Report:
        return Report(removed=self.removed + other.removed, freed=self.freed + other.freed)


class _Revived(Exception):  # noqa: N818 - a signal inside this file
    """Old content came into use again since the list was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Used:
    """What must stay, as of an epoch."""

    epoch: int
    nodes: set[bytes]
    blobs: set[bytes]


def collect(database: Database, grace: timedelta, now: datetime) -> Report:
    """Remove what no artifact reaches and nobody used for `grace` (at least ten minutes).

    What others use again all the while is left to the next call.
    """
    cutoff = int((now - max(grace, LEAST_GRACE)).timestamp())
    report = Report()
    _clear(database, cutoff)  # first, because a full disk refuses all that follows
    for _ in range(_ROUNDS):
        used = _used(database, cutoff)
        try:
            for part in _sweep(database, used, cutoff):
                report += part
            break
        except _Revived:
            continue
    _unname(database)
    _clear(database, cutoff)
    _shrink(database)
    return report


def _used(database: Database, cutoff: int) -> _Used:
    with database.read() as connection:
        epoch = retention.epoch(connection)
        rows = connection.execute(
            "SELECT tree FROM artifact UNION SELECT digest FROM node WHERE touched >= ?", (cutoff,)
        )
        todo = [digest for (digest,) in rows]
        used = _Used(epoch=epoch, nodes=set(todo), blobs=set())
        while todo:
            digest = todo.pop()
            row = connection.execute("SELECT CAST(data AS BLOB) FROM node WHERE digest = ?", (digest,)).fetchone()
            if row is None or pack(of_bytes(row[0])) != digest:
                continue  # damaged: whoever reads it drops it with all that needs it
            folders, files = nodes.references(row[0])
            used.blobs.update(files)
            todo += set(folders) - used.nodes
            used.nodes.update(folders)
    return used


def _sweep(database: Database, used: _Used, cutoff: int) -> Iterator[Report]:
    """Nodes by falling id, which is parents first, then blobs."""
    for table, keep in (("node", used.nodes), ("blob", used.blobs)):
        for chunk in _victims(database, table, keep, cutoff):
            with database.write() as connection:
                if retention.epoch(connection) != used.epoch:
                    raise _Revived
                report = _remove(connection, table, chunk, cutoff)
            yield report


def _victims(database: Database, table: str, keep: set[bytes], cutoff: int) -> Iterator[list[bytes]]:
    query = f"SELECT id, digest FROM {table} WHERE id < ? AND touched < ? ORDER BY id DESC LIMIT ?"
    last = 1 << 62
    while True:
        with database.read() as connection:
            rows = connection.execute(query, (last, cutoff, _CHUNK)).fetchall()
        if not rows:
            return
        last = rows[-1][0]
        if victims := [digest for _, digest in rows if digest not in keep]:
            yield victims


def _remove(connection: sqlite3.Connection, table: str, digests: list[bytes], cutoff: int) -> Report:
    """Remove those that nobody touched since they were listed."""
    found = retention.present(connection, table, digests)
    old = [digest for digest in digests if digest in found and found[digest][1] < cutoff]
    marks = ",".join("?" * len(old))
    weight = "length(data)" if table == "node" else "kept"
    (freed,) = connection.execute(
        f"SELECT coalesce(sum({weight}), 0) FROM {table} WHERE digest IN ({marks})", old
    ).fetchone()
    if table == "node":
        connection.executemany("DELETE FROM node WHERE digest = ?", [(digest,) for digest in old])
    else:
        damage.remove_blobs(connection, old)
    return Report(removed=len(old), freed=freed)


def _unname(database: Database) -> None:
    """Remove native ids of bytes that are gone. Both looks are needed: the bytes may come again in between."""
    last = ""
    while True:
        with database.read() as connection:
            keys = connection.execute(
                f"SELECT key FROM native WHERE key > ? AND {_GONE} ORDER BY key LIMIT ?", (last, _CHUNK)
            ).fetchall()
        if not keys:
            return
        ((last,),) = keys[-1:]
        with database.write() as connection:
            connection.executemany(f"DELETE FROM native WHERE key = ? AND {_GONE}", keys)


def _clear(database: Database, cutoff: int) -> None:
    """Remove the files of big blobs that have no row any more, and what crashes left half written."""
    for path in sorted(blobs.folder(database).glob("*/*")):
        with translated(path):
            if not path.name.startswith("new-"):
                _remove_orphan(database, path)
            elif _written(path) < cutoff:
                path.unlink(missing_ok=True)


def _written(path: Path) -> float:
    """When a file was written; of one that was renamed meanwhile, never."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def _remove_orphan(database: Database, path: Path) -> None:
    """The second look is under the writers' lock, so that no row for the file can appear before it is gone."""
    digest = bytes.fromhex(path.name)
    with database.read() as connection:
        if retention.present(connection, "blob", [digest]):
            return
    with database.write() as connection:
        if not retention.present(connection, "blob", [digest]):
            path.unlink(missing_ok=True)


def _shrink(database: Database) -> None:
    """Give free pages back to the disk, a few at a time."""
    while True:
        with database.read() as connection:
            (free,) = connection.execute("PRAGMA freelist_count").fetchone()
            if not free:
                return
            connection.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()

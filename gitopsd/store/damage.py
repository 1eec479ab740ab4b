"""Dropping content that is missing or damaged, together with every directory and artifact that needs it.

Afterwards its source has no artifact any more, so it fetches again, and what is undamaged is found by its native ids. A
damaged artifact is never used in part.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from gitopsd.store import retention
from gitopsd.store.database import Database


def drop(database: Database, digests: Iterable[bytes]) -> int:
    """Remove blobs and nodes, and all that refers to them directly or not. Returns the number of artifacts dropped."""
    bad = set(digests)
    with database.write() as connection:
        level = bad
        while level := _parents(connection, level) - bad:
            bad |= level
        retention.another_epoch(connection)
        return _remove(connection, sorted(bad))


def _parents(connection: sqlite3.Connection, digests: set[bytes]) -> set[bytes]:
    """The nodes whose text names one of these; a scan, which is worth no index for how seldom it is needed."""
    found: set[bytes] = set()
    for digest in digests:
        rows = connection.execute("SELECT digest FROM node WHERE instr(data, ?)", (digest.hex().encode("ascii"),))
        found.update(parent for (parent,) in rows)
    return found


def _remove(connection: sqlite3.Connection, digests: list[bytes]) -> int:
    keys = [(digest,) for digest in digests]
    artifacts = connection.executemany("DELETE FROM artifact WHERE tree = ?", keys).rowcount
    connection.executemany("DELETE FROM node WHERE digest = ?", keys)
    remove_blobs(connection, digests)
    return artifacts


def remove_blobs(connection: sqlite3.Connection, digests: list[bytes]) -> None:
    """Remove rows of blobs with their bytes; their native ids, and the file of a big one, are left to gc."""
    keys = [(digest,) for digest in digests]
    connection.executemany("DELETE FROM bytes WHERE id = (SELECT id FROM blob WHERE digest = ?)", keys)
    connection.executemany("DELETE FROM blob WHERE digest = ?", keys)

"""Many rows by one statement, which SQLite runs in C and without Python's lock.

Row by row, a writer takes the lock and gives it back for each; beside a thread that computes, both are slower than one after
the other [measured]. Rows that fill no whole statement go one by one, so that only two are ever made of each text.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

_CHUNK = 500
"""Rows of one statement. SQLite takes at most 32,766 values."""

Row = tuple[Any, ...]


def write(connection: sqlite3.Connection, statement: str, rows: Sequence[Row]) -> None:
    """Run a statement that says `VALUES {rows}` for all of these, which are equally long."""
    whole = len(rows) - len(rows) % _CHUNK
    for start in range(0, whole, _CHUNK):
        part = rows[start : start + _CHUNK]
        connection.execute(_filled(statement, _CHUNK, len(part[0])), _flat(part))
    if rest := rows[whole:]:
        connection.executemany(_filled(statement, 1, len(rest[0])), rest)


def find(connection: sqlite3.Connection, query: str, rows: Sequence[Row], *more: Any) -> Iterator[Row]:
    """What a query that says `VALUES {rows}` finds for these, which are equally long; `more` are its parameters after them."""
    whole = len(rows) - len(rows) % _CHUNK
    for start in range(0, whole, _CHUNK):
        part = rows[start : start + _CHUNK]
        yield from connection.execute(_filled(query, _CHUNK, len(part[0])), [*_flat(part), *more])
    for row in rows[whole:]:
        yield from connection.execute(_filled(query, 1, len(row)), [*row, *more])


def _flat(rows: Sequence[Row]) -> list[Any]:
    """All their values. Of `bytes`, but not of a bytearray, sqlite3 asks at length whether they are to be adapted [measured]."""
    width = len(rows[0])
    values: list[Any] = [None] * (len(rows) * width)
    for at, column in enumerate(zip(*rows, strict=True)):
        values[at::width] = map(bytearray, column) if isinstance(column[0], bytes) else column
    return values


@lru_cache(maxsize=64)
def _filled(text: str, count: int, width: int) -> str:
    row = f"({', '.join('?' * width)})"
    return text.format(rows=", ".join([row] * count))

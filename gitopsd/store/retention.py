"""How long content stays, and what keeps *gc* and writers in other processes from undoing one another.

Everything in use carries the time of its last use. Two laws hold between transactions:

1. A stored node's whole subtree is stored: children are written before parents, and removed after them.
2. Content used within `FRESH` of now is never removed, nor what it reaches. Whoever uses content that was not fresh any
   more raises the `epoch` in the same transaction; gc, which works from a list made earlier, then makes its list again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator
from typing import TypeVar

from gitopsd.store import rows

Clock = Callable[[], int]
"""Seconds since 1970. Asked inside the transaction that writes them down, however long the work before it took."""

FRESH = 300
"""Seconds for which a use counts without being written down again."""

_CHUNK = 500
T = TypeVar("T")


def present(connection: sqlite3.Connection, table: str, digests: Collection[bytes]) -> dict[bytes, tuple[int, int]]:
    """Which of the digests are in the table: digest -> (size, touched)."""
    query = f"WITH wanted (d) AS (VALUES {{rows}}) SELECT digest, size, touched FROM wanted CROSS JOIN {table} ON digest = d"
    found = rows.find(connection, query, [(digest,) for digest in digests])
    return {digest: (size, touched) for digest, size, touched in found}


def stale(found: dict[bytes, tuple[int, int]], now: int, fresh: int = FRESH) -> list[bytes]:
    """Those of `present` whose last use is not so fresh (seconds)."""
    return [digest for digest, (_, touched) in found.items() if touched < now - fresh]


def touch(connection: sqlite3.Connection, table: str, digests: Collection[bytes], now: int) -> None:
    """Write down that this content is used now. Inside a write transaction."""
    connection.executemany(f"UPDATE {table} SET touched = ? WHERE digest = ?", [(now, digest) for digest in digests])


def use_nodes(connection: sqlite3.Connection, digests: Collection[bytes], now: int) -> set[bytes]:
    """Mark these nodes as used, and return those that are there. Inside a write transaction."""
    found = present(connection, "node", digests)
    old = stale(found, now)
    if old:
        touch(connection, "node", old, now)
        another_epoch(connection)
    return set(found)


def another_epoch(connection: sqlite3.Connection) -> None:
    """Tell those who work from what they saw before to look again. Inside a write transaction."""
    connection.execute("UPDATE epoch SET number = number + 1")


def epoch(connection: sqlite3.Connection) -> int:
    """Differs after content that was not fresh any more came into use again, and after any was dropped as damaged."""
    (number,) = connection.execute("SELECT number FROM epoch").fetchone()
    return int(number)


def chunks(items: list[T], size: int = _CHUNK) -> Iterator[list[T]]:
    """The items in lists of a size that suits one statement."""
    for start in range(0, len(items), size):
        yield items[start : start + size]

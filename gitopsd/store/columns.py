"""Rows for SQLite as columns: one statement writes a whole batch, in C and without Python's lock.

Row by row, a writer takes the lock and gives it back for each; beside a thread that computes, both are slower than one after
the other [measured]. So a column is one text: numbers of a fixed width, digests of theirs, and anything else end to end with
the numbers of where each begins and how long it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

ROWS = "WITH RECURSIVE rows(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM rows WHERE n + 1 < :count)"
"""Makes `rows`, whose `n` counts from 0 to below `:count`, which is at least 1."""

_DIGITS = 15
_DIGEST = 32

Column = dict[str, bytes]
"""Parameters of a statement."""


def digest(name: str) -> str:
    """What reads row `n` of a column of digests."""
    return f"substr(:{name}, n * {_DIGEST} + 1, {_DIGEST})"


def digests(name: str, values: Sequence[bytes]) -> Column:
    """A column of digests, 32 bytes each."""
    return {name: b"".join(values)}


def number(name: str) -> str:
    """What reads row `n` of a column of numbers."""
    return f"CAST(substr(:{name}, n * {_DIGITS} + 1, {_DIGITS}) AS INTEGER)"


def numbers(name: str, values: Sequence[int]) -> Column:
    """A column of numbers, from 0 to below 10^15."""
    return {name: (f"%0{_DIGITS}d" * len(values) % tuple(values)).encode("ascii")}


def data(name: str) -> str:
    """What reads row `n` of a column of bytes."""
    # Of a column without a single byte SQLite makes NULL.
    return f"coalesce(substr(:{name}, {number(f'{name}_from')}, {number(f'{name}_size')}), x'')"


def datas(name: str, values: Sequence[bytes]) -> Column:
    """A column of bytes, which may be of any length."""
    sizes = [len(value) for value in values]
    begins = [1, *(1 + end for end in accumulate(sizes[:-1]))]
    return {name: b"".join(values), **numbers(f"{name}_from", begins), **numbers(f"{name}_size", sizes)}

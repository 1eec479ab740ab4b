"""Passes over thousands of objects, some at a time: the loop gets a turn in between, so that none of it waits for them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from anyio.lowlevel import checkpoint

T = TypeVar("T")
R = TypeVar("R")
AT_ONCE = 500
"""Objects in one turn of the loop: some milliseconds."""


async def over(items: Sequence[T], work: Callable[[Sequence[T]], Iterable[R]]) -> tuple[R, ...]:
    """What `work` makes of all items, in their order."""
    made: list[R] = []
    for start in range(0, len(items), AT_ONCE):
        if start:
            await checkpoint()
        made += work(items[start : start + AT_ONCE])
    return tuple(made)

"""Lets a few tasks through in each turn of the loop, so that a thousand that are woken at once do not hold it up together."""

from __future__ import annotations

import anyio
from anyio.lowlevel import checkpoint

AT_ONCE = 16
"""Apps that begin to look in one turn: each takes some tenths of a millisecond until it waits for something."""


class Turns:
    """Belongs to one event loop. Nobody holds a turn while it waits for anything else."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._places = anyio.CapacityLimiter(at_once)

    async def mine(self) -> None:
        """Return when it is the caller's turn: first come, first served."""
        async with self._places:
            await checkpoint()

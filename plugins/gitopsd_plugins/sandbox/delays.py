"""Delays that start when something is first seen: how the controllers' `settling` is measured.

A delay is named by an object's uid and a word or number of the caller (a generation, a phase). Time is the event loop's,
so tests may run it virtually. It knows no objects beyond their uid.
"""

from __future__ import annotations

from collections.abc import Hashable

from msgspec import Struct, field


class Delays(Struct):
    """Delays that run."""

    started: dict[str, dict[Hashable, float]] = field(default_factory=dict)

    def left(self, uid: str, what: Hashable, now: float, delay: float) -> float:
        """Seconds that remain, 0 when the delay is over. The first call starts it."""
        start = self.started.setdefault(uid, {}).setdefault(what, now)
        return max(0.0, start + delay - now)

    def forget(self, uid: str) -> None:
        """Drop all delays of an object that is gone."""
        self.started.pop(uid, None)

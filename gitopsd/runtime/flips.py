"""When putting something back is a fight: another manager changes it again each time. Pure; time is passed in."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from enum import Enum

TIMES, WITHIN, PAUSE = 5, 60.0, 300.0
"""So many changes within so many seconds, then hands off for so many."""


class Pace(Enum):
    """What to do about a change: put it back, begin a pause (say so), or keep to the pause."""

    REPAIR = "repair"
    PAUSE = "pause"
    PAUSED = "paused"


class Flips:
    """Counts changes per thing. It forgets things that have been quiet for longer than a pause."""

    def __init__(self) -> None:
        self._changes: dict[Hashable, deque[float]] = {}
        self._until: dict[Hashable, float] = {}

    def note(self, thing: Hashable, now: float) -> Pace:
        """It was changed again, at this time in seconds."""
        if now < self._until.get(thing, 0.0):
            return Pace.PAUSED
        self._forget(now)
        times = self._changes.setdefault(thing, deque(maxlen=TIMES))
        times.append(now)
        if len(times) < TIMES or now - times[0] > WITHIN:
            return Pace.REPAIR
        self._until[thing] = now + PAUSE
        del self._changes[thing]
        return Pace.PAUSE

    def _forget(self, now: float) -> None:
        self._until = {thing: until for thing, until in self._until.items() if until > now}
        self._changes = {thing: times for thing, times in self._changes.items() if now - times[-1] <= WITHIN}

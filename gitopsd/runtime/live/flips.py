"""When putting something back is a fight: another manager changes it again each time. Pure; time is passed in.

A pause keeps everybody from looking, so it also says when it is over: whoever counts here asks `over_at` and looks then
(`Watches` does). Otherwise what was changed during the pause would stay so until something else happens.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")
TIMES, WITHIN, PAUSE = 5, 60.0, 300.0
"""So many changes within so many seconds, then hands off for so many."""


class Pace(Enum):
    """What to do about a change: put it back, begin a pause (say so), or keep to the pause."""

    REPAIR = "repair"
    PAUSE = "pause"
    PAUSED = "paused"


class Flips(Generic[T]):
    """Counts changes per thing. It forgets things that have been quiet for as long as counts."""

    def __init__(self) -> None:
        self._changes: dict[T, deque[float]] = {}
        self._until: dict[T, float] = {}

    def note(self, thing: T, now: float) -> Pace:
        """It was changed again, at this time in seconds."""
        if now < self._until.get(thing, 0.0):
            return Pace.PAUSED
        self._changes = {thing: times for thing, times in self._changes.items() if now - times[-1] <= WITHIN}
        times = self._changes.setdefault(thing, deque(maxlen=TIMES))
        times.append(now)
        if len(times) < TIMES or now - times[0] > WITHIN:
            return Pace.REPAIR
        self._until[thing] = now + PAUSE
        del self._changes[thing]
        return Pace.PAUSE

    def over_at(self) -> float | None:
        """When the next pause ends."""
        return min(self._until.values(), default=None)

    def over(self, now: float) -> tuple[T, ...]:
        """The things whose pause has ended; each is answered once."""
        ended = tuple(thing for thing, until in self._until.items() if until <= now)
        for thing in ended:
            del self._until[thing]
        return ended

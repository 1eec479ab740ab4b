"""What is lent for a while, as tokens are: kept in memory until shortly before it ends, asked for once by all who want it."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from gitopsd.model.errors import Rejected, Retrying
from gitopsd.plugin.flights import Flights

MARGIN = timedelta(minutes=5)
"""What is about to end is asked for anew: whatever uses it must not outlive it."""
SHARE = 5
"""Of what lives for a short time only, the last fifth counts as its end."""
MAX_KEPT = 1000


class Lasting(Protocol):
    """A value that ends."""

    @property
    def until(self) -> datetime:
        """When it ends."""
        ...


T = TypeVar("T", bound=Lasting)


class Kept:
    """Values by what they were asked for with, so that other credentials get another value. Belongs to one event loop."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, tuple[Any, datetime]] = OrderedDict()
        self._pauses: OrderedDict[Hashable, tuple[Retrying, datetime]] = OrderedDict()
        """Who asked for patience, by what it was asked for."""
        self._flights: Flights[Any] = Flights()

    async def get(self, key: Hashable, now: datetime, ask: Callable[[], Awaitable[T]]) -> T:
        """What is kept under the key and still lasts, else what `ask` gives. Raises what that raises, and keeps nothing then.

        Where that names a time to come back, nobody asks for the same before.
        """
        kept = self._kept.get(key)
        if kept is not None and now < kept[1]:
            self._kept.move_to_end(key)
            found: T = kept[0]
            return found

        self._check_pause(key, now)

        async def asked() -> T:
            try:
                fresh = await ask()
            except Retrying as error:
                if error.retry_after:
                    _put(self._pauses, key, (copy.copy(error), now + timedelta(seconds=error.retry_after)))
                raise
            _put(self._kept, key, (fresh, fresh.until - min(MARGIN, (fresh.until - now) / SHARE)))
            return fresh

        answer: T = await self._flights.join(key, asked)
        return answer

    def _check_pause(self, key: Hashable, now: datetime) -> None:
        paused = self._pauses.get(key)
        if paused is None:
            return
        error, until = copy.copy(paused[0]), paused[1]
        if until <= now:
            del self._pauses[key]
            return
        error.retry_after = (until - now).total_seconds()
        raise error

    def forget(self, value: object) -> bool:
        """Drop what was refused where it was used, so that the next one who asks gets a new one; False if it is not kept."""
        keys = [key for key, (kept, _) in self._kept.items() if kept is value]
        for key in keys:
            del self._kept[key]
        return bool(keys)

    @contextmanager
    def minded(self, *values: object) -> Iterator[None]:
        """What is used in here is dropped where it is refused (`Rejected`): the next attempt gets a new one."""
        try:
            yield
        except Rejected:
            for value in values:
                self.forget(value)
            raise


def _put(kept: OrderedDict[Hashable, Any], key: Hashable, value: Any) -> None:
    """What was used longest ago makes room."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > MAX_KEPT:
        kept.popitem(last=False)

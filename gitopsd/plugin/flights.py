"""One request for all who ask the same at the same moment: the same address, with the same credentials and options.

What is asked for stands in the key whole, credentials included: who holds others never gets an answer that they opened.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import anyio

from gitopsd.model.errors import GitopsdError

T = TypeVar("T")
SHORTLY = 60.0
"""Seconds for which content of a digest serves those whose turn comes after the first one was done."""
MAX_KEPT = 256


class _Flight(Generic[T]):
    def __init__(self) -> None:
        self.landed = anyio.Event()
        self.answer: T | None = None
        self.error: GitopsdError | None = None
        self.lost = True
        """It came to nothing, as whoever asked was cancelled: somebody else has to."""

    def outcome(self) -> T:
        """What it came to. Raises what the request raised, as an error of its own."""
        if self.error is not None:
            raise copy.copy(self.error)
        assert self.answer is not None  # `ask` answers with something
        return self.answer


class Comer(Generic[T]):
    """Somebody who is about to ask and has to find out first what; made by `Flights.coming`."""

    def __init__(self, flights: Flights[T]) -> None:
        self._flights = flights
        self.landed: dict[Hashable, _Flight[T]] = {}
        """What ended since; as fresh as what would have been waited for."""

    async def join(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """As `Flights.join`, or what came of the same key meanwhile."""
        flight = self.landed.get(key)
        return await self._flights.join(key, ask) if flight is None else flight.outcome()


class Flights(Generic[T]):
    """Requests under way, by what they ask for. Belongs to one event loop.

    `keep`: seconds for which an answer goes on serving whoever asks the same; for what never changes.
    """

    def __init__(self, keep: float = 0.0) -> None:
        self._keep = keep
        self._flights: dict[Hashable, _Flight[T]] = {}
        self._kept: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()
        self._coming: set[Comer[T]] = set()

    @contextmanager
    def coming(self) -> Iterator[Comer[T]]:
        """For what takes a while before it can ask: reading credentials, or what is known already.

        Without it, of many who begin at the same moment the slow ones would miss a quick answer, and ask again.
        """
        comer = Comer(self)
        self._coming.add(comer)
        try:
            yield comer
        finally:
            self._coming.discard(comer)

    async def join(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer of `ask`, or of the one under way for the same key. Raises what it raised, as an error of its own."""
        self._forget()
        if key in self._kept:
            return self._kept[key][1]
        while (flight := self._flights.get(key)) is not None:
            await flight.landed.wait()
            if not flight.lost:
                return flight.outcome()
        self._flights[key] = flight = _Flight[T]()
        try:
            flight.answer = await ask()
            flight.lost = False
            if self._keep:
                self._kept[key] = anyio.current_time(), flight.answer
            return flight.answer
        except GitopsdError as error:
            # A copy: each who hears of it puts the name of its object before the message.
            flight.error = copy.copy(error)
            flight.lost = False
            raise
        finally:
            del self._flights[key]
            self._land(key, flight)

    def _land(self, key: Hashable, flight: _Flight[T]) -> None:
        flight.landed.set()
        if not flight.lost:
            for comer in self._coming:
                comer.landed[key] = flight

    def _forget(self) -> None:
        while self._kept:
            at, _ = next(iter(self._kept.values()))
            if len(self._kept) <= MAX_KEPT and anyio.current_time() - at < self._keep:
                return
            self._kept.popitem(last=False)

"""One request for all who ask the same at the same moment: the same address, with the same credentials and options.

What is asked for stands in the key whole, credentials included: who holds others never gets an answer that they opened.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
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
        """Whoever asked was cancelled: somebody else has to."""


class Flights(Generic[T]):
    """Requests under way, by what they ask for. Belongs to one event loop.

    `keep`: seconds for which an answer goes on serving whoever asks the same; for what never changes.
    """

    def __init__(self, keep: float = 0.0) -> None:
        self._keep = keep
        self._flights: dict[Hashable, _Flight[T]] = {}
        self._kept: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()

    async def join(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer of `ask`, or of the one under way for the same key. Raises what it raised, as an error of its own."""
        self._forget()
        if key in self._kept:
            return self._kept[key][1]
        while (flight := self._flights.get(key)) is not None:
            await flight.landed.wait()
            if flight.error is not None:
                raise copy.copy(flight.error)
            if not flight.lost:
                assert flight.answer is not None  # `ask` answers with something
                return flight.answer
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
            raise
        finally:
            del self._flights[key]
            flight.landed.set()

    def _forget(self) -> None:
        while self._kept:
            at, _ = next(iter(self._kept.values()))
            if len(self._kept) <= MAX_KEPT and anyio.current_time() - at < self._keep:
                return
            self._kept.popitem(last=False)

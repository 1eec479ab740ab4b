"""One request for all who ask the same at the same moment."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import anyio

from gitopsd.model.errors import GitopsdError

T = TypeVar("T")


class _Flight(Generic[T]):
    def __init__(self) -> None:
        self.landed = anyio.Event()
        self.answer: T | None = None
        self.error: GitopsdError | None = None
        self.lost = True
        """Whoever asked was cancelled: somebody else has to."""


class Flights(Generic[T]):
    """Requests under way, by what they ask for. Belongs to one event loop."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight[T]] = {}

    async def join(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer of `ask`, or of the one under way for the same key. Raises what it raised, as an error of its own."""
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
            return flight.answer
        except GitopsdError as error:
            # A copy: each who hears of it puts the name of its object before the message.
            flight.error = copy.copy(error)
            raise
        finally:
            del self._flights[key]
            flight.landed.set()

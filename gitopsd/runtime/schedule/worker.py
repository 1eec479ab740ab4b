"""One declared object's worker: clear the wakes, attempt, look at the outcome, wait to be woken or due.

Any number of wakes before the next attempt count as one, and there is at most one attempt per object at a time: by
construction, not by locks. It knows neither what an attempt does nor what a dependency is. It holds no slot of any limit
while it rests or while a gate waits: limits belong to single requests, and are taken by the steps.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable
from datetime import datetime
from random import Random

import anyio
from structlog.contextvars import bound_contextvars, clear_contextvars

from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.runtime.schedule import due, wake
from gitopsd.runtime.schedule.attempt import Attempt, Carry
from gitopsd.runtime.schedule.due import Pace, Record
from gitopsd.runtime.schedule.scheduled import Scheduled
from gitopsd.runtime.schedule.turns import Turns
from gitopsd.runtime.schedule.wake import Reason

MAX_TRACE = 20_000
"""Characters of a traceback that are kept, from its end."""

Concluded = Callable[[Attempt, Outcome], None]
Held = Callable[[ObjectRef], bool]
"""Whether an object may not begin yet: the worker asks again when it is nudged."""


class Worker:
    """Runs the attempts of one object, one after the other. `concluded` hears of each outcome; it must not raise."""

    def __init__(
        self,
        scheduled: Scheduled,
        *,
        carry: Carry,
        concluded: Concluded,
        held: Held,
        pace: Pace,
        turns: Turns,
        rng: Random,
        now: Callable[[], datetime],
    ) -> None:
        self.scheduled = scheduled
        self.outcome: Outcome | None = None
        self.previous: Outcome | None = None
        self.due_at: float | None = None
        """Loop time of the next look; None while an attempt runs, or when only a wake will do."""
        self.ended = anyio.Event()
        self._carry = carry
        self._concluded = concluded
        self._held = held
        self._pace = pace
        self._turns = turns
        self._rng = rng
        self._now = now
        self._record = Record()
        self._reasons: set[Reason] = set()
        self._tokens: dict[str, None] = {}
        self._woken = anyio.Event()
        self._stopping = anyio.Event()
        self._running: Attempt | None = None
        self._scope = anyio.CancelScope()

    def wake(self, reason: Reason, token: str = "") -> None:
        """Look again soon. A wake that the object's phase does not heed is forgotten."""
        self._reasons.add(reason)
        if token:
            self._tokens[token] = None
        if self._running and reason in wake.SUPERSEDES:
            self._running.superseded.set()
        self._woken.set()

    def nudge(self) -> None:
        """Ask again whether it may begin."""
        self._woken.set()

    def stop(self) -> None:
        """End after the running attempt, whose waits are told to end now; a resting worker ends at once."""
        self._stopping.set()
        self._woken.set()
        if self._running:
            self._running.superseded.set()

    def cancel(self) -> None:
        """End now, in the middle of whatever it does."""
        self._scope.cancel()

    @property
    def attempting(self) -> bool:
        """True while an attempt runs."""
        return self._running is not None

    @property
    def settled(self) -> bool:
        """True when it rests after an attempt, and nothing that it heeds has woken it."""
        return self.ended.is_set() or not (self._running or self.outcome is None or self._heeded())

    async def run(self, after: Worker | None = None) -> None:
        """Work until stopped, cancelled, or the object is gone; begins with the first wake, and when `after` has ended."""
        clear_contextvars()  # a child begins in its parent's attempt, whose lines these are not
        try:
            if after:  # outside the scope: cancelled or not, it may not look ended before its predecessor is
                await after.ended.wait()
            with self._scope:
                await self._rest(None)
                while not self._stopping.is_set():
                    await self._rest(await self._look())
        finally:
            self.ended.set()

    async def _look(self) -> float | None:
        """One attempt; answers when the next one is due, in seconds."""
        attempt = self._begin()
        with bound_contextvars(object=str(attempt.ref)):
            outcome = await self._attempt(attempt)
            delay = due.delay(outcome, self.scheduled.timing, self._pace, self._record, self._rng)
            self._record = self._record.after(outcome)
            self._running, self.previous, self.outcome = None, self.outcome, outcome
            self._concluded(attempt, outcome)
        return delay

    def _begin(self) -> Attempt:
        attempt = Attempt(
            ref=self.scheduled.ref,
            reasons=frozenset(self._reasons),
            tokens=tuple(self._tokens),
            stopping=self._stopping,
        )
        self._reasons.clear()
        self._tokens.clear()
        self._running = attempt
        return attempt

    async def _attempt(self, attempt: Attempt) -> Outcome:
        started = self._now()
        try:
            return await self._carry(attempt)
        except Exception as error:  # noqa: BLE001 - the one place: a bug in one object must not touch another
            return self._unexpected(error, attempt, started)

    def _unexpected(self, error: Exception, attempt: Attempt, started: datetime) -> Outcome:
        return Outcome(
            ref=attempt.ref,
            phase=Phase.RETRYING,
            generation=self.scheduled.generation,
            reason="InternalError",
            message=f"{attempt.ref}: gitopsd failed with {type(error).__name__}; this is a bug, its log has the traceback",
            started=started,
            finished=self._now(),
            artifact=self.outcome.artifact if self.outcome else None,
            token=attempt.tokens[-1] if attempt.tokens else "",
            trace="".join(traceback.format_exception(error))[-MAX_TRACE:],
        )

    async def _rest(self, delay: float | None) -> None:
        """Until a wake that is heeded, `delay` seconds have passed, or stopped; and then until it is this one's turn."""
        if delay is not None:
            self.due_at = anyio.current_time() + delay
        with anyio.move_on_after(math.inf if delay is None else delay) as waiting:
            while not (self._heeded() or self._stopping.is_set()):
                self._reasons.clear()
                self._woken = anyio.Event()
                await self._woken.wait()
        self.due_at = None
        if waiting.cancelled_caught:
            self._reasons.add(Reason.DUE)
        await self._turns.mine()
        while self._held(self.scheduled.ref) and not self._stopping.is_set():
            self._woken = anyio.Event()
            await self._woken.wait()
            await self._turns.mine()

    def _heeded(self) -> bool:
        phase = self.outcome.phase if self.outcome else None
        return any(wake.heeded(reason, phase) for reason in self._reasons)

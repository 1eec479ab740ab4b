"""When an object is looked at again by itself. Pure: outcome and timing in, seconds out; chance is passed in.

A due time is only the second way to be looked at; the first is a wake. So "never" is a fine answer for an object that waits
for somebody else: polling would find nothing that a wake does not say at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from gitopsd.model.errors import Conflict
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.runtime.schedule.backoff import Backoff, jittered

_CHANGED = frozenset({Conflict.default_reason, "AlreadyExists"})
"""Reasons of failures that only mean that somebody was quicker, a controller most often: no fixed delay waits for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What one object asks for, in seconds. Without `interval` it is never due.

    `retry` is the fixed delay after a failure (apps); None means exponential back-off (sources). A stalled source still
    resolves at its interval (`polls_when_stalled`): that is how a new revision is seen.
    """

    interval: float | None = None
    retry: float | None = None
    polls_when_stalled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What the settings say for all objects. `jitter` is a share of the delay, the rest is seconds."""

    jitter: float = 0.05
    backoff: Backoff = field(default_factory=Backoff)
    relook: float = 300.0
    """How long a waiting object trusts that its wake will come."""
    most_retry_after: float = 3600.0
    """The longest that another side can send us away for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a worker remembers between attempts: failures in a row, and whether it ever ended well since the start."""

    failures: int = 0
    settled: bool = False

    def after(self, outcome: Outcome) -> Record:
        """The record with this outcome in it."""
        failed = outcome.phase in {Phase.RETRYING, Phase.PROGRESSING}
        return Record(failures=self.failures + 1 if failed else 0, settled=self.settled or outcome.phase is Phase.READY)


def delay(outcome: Outcome, timing: Timing, pace: Pace, record: Record, rng: Random) -> float | None:
    """Seconds until the object is due after `outcome`; None: only a wake moves it. `record` is the one before it."""
    match outcome.phase:
        case Phase.READY:
            if outcome.retry_after is not None:
                return rng.uniform(0.0, outcome.retry_after)
            return _at_interval(timing, pace, rng, spread=not record.settled)
        case Phase.STALLED if timing.polls_when_stalled:
            return _at_interval(timing, pace, rng, spread=False)
        case Phase.WAITING:
            return jittered(pace.relook, pace.jitter, rng)
        case Phase.SUSPENDED:
            return outcome.retry_after
        case Phase.RETRYING | Phase.PROGRESSING:
            return _after_failure(outcome, timing, pace, record.failures + 1, rng)
    return None


def _at_interval(timing: Timing, pace: Pace, rng: Random, *, spread: bool) -> float | None:
    """The interval; the first one after a start anywhere in it, so that a thousand objects do not stay in step for ever."""
    if timing.interval is None:
        return None
    if spread:
        return timing.interval * rng.uniform(0.5, 1.0)
    return jittered(timing.interval, pace.jitter, rng)


def _after_failure(outcome: Outcome, timing: Timing, pace: Pace, failures: int, rng: Random) -> float:
    soon = jittered(pace.backoff.delay(failures), pace.jitter, rng)
    wanted = soon if timing.retry is None else timing.retry
    if outcome.reason in _CHANGED:
        wanted = min(wanted, soon)
    return max(wanted, min(outcome.retry_after or 0.0, pace.most_retry_after))

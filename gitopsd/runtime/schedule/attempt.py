"""What a worker hands to the steps: which object, why now, and two events that tell a long wait to end early."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from anyio import Event

from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Outcome
from gitopsd.runtime.schedule.wake import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One look at one object.

    `superseded` is set when a newer spec, revision or request makes a health gate pointless: only waits end early by it,
    never a write. `stopping` is set when the process is about to leave: begin nothing new, finish what is in flight.
    """

    ref: ObjectRef
    reasons: frozenset[Reason]
    tokens: tuple[str, ...] = ()
    """Requests that this attempt answers, oldest first."""
    superseded: Event = field(default_factory=Event, repr=False, compare=False)
    stopping: Event = field(default_factory=Event, repr=False, compare=False)

    @property
    def unasked(self) -> bool:
        """True where no person asked for it, and nothing was declared otherwise."""
        return not self.reasons & {Reason.REQUEST, Reason.SPEC}


Carry = Callable[[Attempt], Awaitable[Outcome]]
"""Carries out an attempt: returns its outcome; errors that were foreseen are outcomes too."""

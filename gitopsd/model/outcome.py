"""What one attempt came to: the neutral result that `conclude` makes and a `Kind` words as its status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from gitopsd.model.change import Action, Plan, Result
from gitopsd.model.health import Verdict
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.inventory import Inventory, Suspension
from gitopsd.model.tree import Artifact, Revision


class Step(StrEnum):
    """Where in a reconcile something happened; the flow of the architecture page, in order."""

    ACCEPT = "accept"
    RESOLVE = "resolve"
    FETCH = "fetch"
    VERIFY = "verify"
    PUT = "put"
    ARTIFACT = "artifact"
    REQUIRE = "require"
    CONNECT = "connect"
    RENDER = "render"
    REMEMBER = "remember"
    OBSERVE = "observe"
    REHEARSE = "rehearse"
    PLAN = "plan"
    APPLY = "apply"
    SETTLE = "settle"
    PRUNE = "prune"
    FORGET = "forget"
    GATE = "gate"


class Phase(StrEnum):
    """What the object is now, which also says when it is looked at again."""

    READY = "ready"
    PROGRESSING = "progressing"
    """An attempt runs, or a health gate is open."""
    WAITING = "waiting"
    """Until woken by the one it waits for."""
    RETRYING = "retrying"
    """With back-off, or after the retry interval."""
    STALLED = "stalled"
    """Until spec or revision changes."""
    SUSPENDED = "suspended"
    ORPHANED = "orphaned"
    """Its declaration vanished; what it applied is kept."""
    UNSERVED = "unserved"
    """A kind that is not served yet."""
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One attempt's result. `reason` is '' where the step says enough; otherwise the word for the condition."""

    ref: ObjectRef
    phase: Phase
    generation: int
    step: Step | None = None
    reason: str = ""
    message: str = ""
    started: datetime
    finished: datetime
    attempted: Revision | None = None
    applied: Revision | None = None
    """Set only when the attempt ended READY."""
    artifact: Artifact | None = None
    upstream: Revision | None = None
    """At what the source stood that this one reads; of several the first."""
    inventory: Inventory | None = None
    plan: Plan | None = None
    results: tuple[Result, ...] = ()
    health: Mapping[ResourceId, Verdict] = field(default_factory=dict)
    healthy: bool | None = None
    """None where the attempt ended before the gate or had none."""
    rendered: str = ""
    """Digest of the rendered set, for the history."""
    suspension: Suspension | None = None
    token: str = ""
    """The request that this attempt answered (`reconcile.fluxcd.io/requestedAt`, `gitopsd reconcile`)."""
    warnings: tuple[str, ...] = ()
    retry_after: float | None = None
    """Seconds that the other side asked us to stay away, or until a suspension ends; of a source that serves what an earlier
    run stored, within which it is asked."""
    trace: str = ""
    """Traceback of an unexpected error, for the log only."""

    def masked(self, mask: Callable[[str], str]) -> Outcome:
        """The same with everything in it that is written for people put through `mask`."""
        verdicts = {id: replace(v, message=mask(v.message)) if v.message else v for id, v in self.health.items()}
        return replace(
            self,
            message=mask(self.message),
            warnings=tuple(map(mask, self.warnings)),
            trace=mask(self.trace),
            health=verdicts,
        )

    @property
    def changed(self) -> Mapping[Action, int]:
        """Writes that succeeded, by action."""
        counts: dict[Action, int] = {}
        for result in self.results:
            if result.error is None and result.action.writes:
                counts[result.action] = counts.get(result.action, 0) + 1
        return counts

    @property
    def duration(self) -> timedelta:
        """How long the attempt took."""
        return self.finished - self.started


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One outcome that changed something. Rows are appended, never edited; `counts` by action name."""

    at: datetime
    ref: ObjectRef
    cluster: str
    revision: str
    plan: str
    counts: Mapping[str, int]
    actor: str
    reason: str

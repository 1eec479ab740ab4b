"""PURE. Everything that happened in an attempt, or the error that ended it, becomes one `Outcome`. The only place that does.

The class of the error is the decision: NotReady waits to be woken, Stalling stalls until spec or revision changes, all else
is retried.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gitopsd.model.change import Action, Plan, Result
from gitopsd.model.declared import AppIntent, Declared, SourceIntent
from gitopsd.model.errors import GitopsdError, NotReady, Retrying, Stalling
from gitopsd.model.health import Verdict
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.inventory import Inventory, Suspension
from gitopsd.model.outcome import LedgerRow, Outcome, Phase, Step
from gitopsd.model.tree import Artifact, Revision
from gitopsd.reconcile import health


@dataclass(slots=True, kw_only=True)
class Run:
    """What happened so far in one attempt; the steps write it down as they go, so that a cut is concluded truthfully."""

    declared: Declared
    started: datetime
    token: str = ""
    step: Step = Step.ACCEPT
    attempted: Revision | None = None
    applied: Revision | None = None
    artifact: Artifact | None = None
    upstream: Revision | None = None
    content: str = ""
    """What a source that has no content of its own stands at."""
    fetched: bool = False
    inventory: Inventory | None = None
    plan: Plan | None = None
    results: dict[ResourceId, Result] = field(default_factory=dict)
    health: Mapping[ResourceId, Verdict] = field(default_factory=dict)
    healthy: bool | None = None
    rendered: str = ""
    suspension: Suspension | None = None
    warnings: tuple[str, ...] = ()
    cluster: str = ""
    fresh: bool = False
    """The cluster itself is asked, whatever watches say."""
    waits_for: frozenset[ObjectRef] = frozenset()
    """Apps that deletions are held for."""
    pending: Collection[ResourceId] = ()
    """Objects that the step waits for; named when its time is up."""


def ready(run: Run, now: datetime) -> Outcome:
    """All that was asked for is so."""
    return _outcome(run, Phase.READY, now, message=_done(run))


def held_in_git(intent: AppIntent | SourceIntent, run: Run, now: datetime) -> bool:
    """Whether its declaration suspends it; the run learns why, and until when."""
    hold = intent.hold if intent.hold and intent.hold.holds(now) else None
    if hold is not None and not intent.suspended:
        run.suspension = Suspension(actor=str(run.declared.place), since=now, reason=hold.reason, until=hold.until)
    return intent.suspended or hold is not None


def suspended(run: Run, now: datetime) -> Outcome:
    """Nothing was touched, because a person said so; `retry_after` says when that ends by itself."""
    by = run.suspension
    message = f"suspended by {by.actor}" + (f": {by.reason}" if by.reason else "") if by else "suspended"
    left = max((by.until - now).total_seconds(), 0.0) if by and by.until else None
    return _outcome(run, Phase.SUSPENDED, now, message=message, retry_after=left)


def progressing(run: Run, now: datetime) -> Outcome:
    """Under way; shown while a health gate is open."""
    late = health.pending(run.health)
    names = f": {health.listed(late, run.health)}" if late else ""
    message = f"waiting for health checks, revision {run.attempted}{names}"
    return _outcome(run, Phase.PROGRESSING, now, message=message)


def deleted(run: Run, now: datetime) -> Outcome:
    """The app's objects are gone, or were left as its deletion policy says."""
    return _outcome(run, Phase.DELETED, now, message="deleted")


def lapsed(run: Run, now: datetime) -> Outcome:
    """The app was to be deleted until a moment that has passed: what is left is an orphan again."""
    return _outcome(run, Phase.ORPHANED, now, message="its deletion was not carried out in time; ask for it again")


def unserved(run: Run, now: datetime) -> Outcome:
    """Nobody looks after objects of this kind."""
    return _outcome(run, Phase.UNSERVED, now, message="not served yet")


def would_change(run: Run, now: datetime) -> Outcome:
    """Read-only: planned, not written."""
    return _outcome(run, Phase.READY, now, message=f"read-only: {_planned(run.plan)}")


def _planned(plan: Plan | None) -> str:
    counts = plan.count() if plan else {}
    writes = {action: number for action, number in counts.items() if action.writes}
    total = sum(writes.values())
    each = ", ".join(f"{number} {action}" for action, number in writes.items())
    text = f"would change {total} object{'s' * (total != 1)} ({each})" if writes else "no change"
    refused = sum(c.deletion and c.action is Action.REFUSE for c in plan.changes) if plan else 0
    return f"{text}; {refused} deletions would wait for an approval" if refused else text


def failed(run: Run, error: GitopsdError, now: datetime) -> Outcome:
    """The attempt ended at `run.step` with this error."""
    match error:
        case NotReady():
            phase = Phase.WAITING
        case Stalling():
            phase = Phase.STALLED
        case _:
            phase = Phase.RETRYING
    reason = error.reason if error.reason not in {"Failed", "DependencyNotReady", "Stalled", "Misconfigured"} else ""
    after = error.retry_after if isinstance(error, Retrying) else None
    return _outcome(run, phase, now, message=_named(run, str(error)), reason=reason, retry_after=after)


def _named(run: Run, text: str) -> str:
    """Every message says which object it is about; the health gate's keep the form that tools know from Flux."""
    name = str(run.declared.ref)
    return text if name in text or run.step is Step.GATE else f"{name}: {text}"


def _outcome(
    run: Run, phase: Phase, now: datetime, *, message: str, reason: str = "", retry_after: float | None = None
) -> Outcome:
    return Outcome(
        ref=run.declared.ref,
        phase=phase,
        generation=run.declared.generation,
        step=run.step,
        reason=reason,
        message=message,
        started=run.started,
        finished=now,
        attempted=run.attempted,
        applied=run.applied if phase is Phase.READY else None,
        artifact=run.artifact,
        upstream=run.upstream,
        inventory=run.inventory,
        plan=run.plan,
        results=tuple(run.results.values()),
        health=run.health,
        healthy=run.healthy,
        rendered=run.rendered,
        suspension=run.suspension,
        token=run.token,
        warnings=run.warnings,
        retry_after=retry_after,
    )


def _done(run: Run) -> str:
    if run.artifact is not None and run.plan is None and run.inventory is None and not run.rendered:
        return f"stored artifact for revision '{run.artifact.revision}'"
    if run.applied is not None and run.applied.digest == run.content:
        return "ready for the sources that read it; it has no content of its own"
    return f"Applied revision: {run.applied}"


def ledger(outcome: Outcome, *, cluster: str, actor: str) -> LedgerRow | None:
    """The row for an outcome that changed something; None for one that did not."""
    counts = {str(action): number for action, number in outcome.changed.items()}
    if not counts:
        return None
    return LedgerRow(
        at=outcome.finished,
        ref=outcome.ref,
        cluster=cluster,
        revision=str(outcome.attempted or ""),
        plan=outcome.plan.digest if outcome.plan else "",
        counts=counts,
        actor=actor,
        reason=outcome.message,
    )

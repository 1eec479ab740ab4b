"""What one object's outcome means to those who listen to it. Only a change is news, so that nobody is woken for nothing. Pure."""

from __future__ import annotations

from datetime import datetime

from gitopsd.model.outcome import Outcome, Phase, Step
from gitopsd.runtime.schedule.wake import Reason


def news(previous: Outcome | None, outcome: Outcome) -> Reason | None:
    """Why listeners should look again now; None when nothing changed for them."""
    if _artifact(outcome) and _artifact(outcome) != (_artifact(previous) if previous else None):
        return Reason.REVISION
    if previous is None or outcome.phase is Phase.DELETED:
        return Reason.DEPENDENCY
    if outcome.phase is Phase.READY and (previous.phase is not Phase.READY or outcome.applied != previous.applied):
        return Reason.DEPENDENCY
    if outcome.phase is not Phase.READY and _cause(outcome) != _cause(previous):
        return Reason.CAUSE
    return None


def _cause(outcome: Outcome) -> tuple[Phase, Step | None, str]:
    """Why an object is not ready, without what differs from one attempt to the next."""
    return outcome.phase, outcome.step, outcome.reason


def _artifact(outcome: Outcome) -> tuple[str, str, str, datetime] | None:
    """What a source offers; an app carries its source's artifact, which is no news of its own.

    Content that was lost and fetched again is news although it is the same: somebody waits for it.
    """
    artifact = outcome.artifact
    if artifact is None or artifact.source != outcome.ref:
        return None
    return str(artifact.revision), artifact.tree, artifact.spec, artifact.stored

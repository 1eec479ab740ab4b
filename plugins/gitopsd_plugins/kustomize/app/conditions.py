"""Flux's conditions: Ready, Healthy, and while they are true Reconciling and Stalled. A time moves with the status only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gitopsd.plugin import Outcome, Phase, Step
from gitopsd_plugins.kustomize.app import times

Condition = Mapping[str, Any]
_RETRIED = {Phase.RETRYING, Phase.WAITING}


def after(outcome: Outcome, reason: str, previous: Sequence[Condition]) -> list[Condition]:
    """The conditions after an outcome; `reason` is Ready's."""
    before = {condition.get("type"): condition for condition in previous}
    made = [c for c in (_reconciling(outcome), _stalled(outcome, reason), _ready(outcome, reason)) if c]
    made.extend(_healthy(outcome, before.get("Healthy")))
    return [_timed(condition, before.get(condition["type"]), outcome) for condition in made]


def _ready(outcome: Outcome, reason: str) -> dict[str, Any]:
    match outcome.phase:
        case Phase.READY:
            message = outcome.message or f"Applied revision: {outcome.applied}"
            return _condition("Ready", "True", reason, message)
        case Phase.PROGRESSING:
            return _condition("Ready", "Unknown", reason, outcome.message or "Reconciliation in progress")
    return _condition("Ready", "False", reason, outcome.message)


def _reconciling(outcome: Outcome) -> dict[str, Any] | None:
    if outcome.phase is Phase.PROGRESSING:
        return _condition("Reconciling", "True", "Progressing", outcome.message or "Reconciliation in progress")
    if outcome.phase in _RETRIED:
        return _condition("Reconciling", "True", "ProgressingWithRetry", outcome.message)
    return None


def _stalled(outcome: Outcome, reason: str) -> dict[str, Any] | None:
    return _condition("Stalled", "True", reason, outcome.message) if outcome.phase is Phase.STALLED else None


def _healthy(outcome: Outcome, before: Condition | None) -> list[dict[str, Any]]:
    """An attempt without a gate says nothing about health; a ready one without checks has no such condition."""
    if outcome.healthy is True:
        passed = f"Health check passed in {times.duration(outcome.duration)}"
        return [_condition("Healthy", "True", "Succeeded", passed)]
    if outcome.healthy is False:
        return [_condition("Healthy", "False", outcome.reason or "HealthCheckFailed", outcome.message)]
    if outcome.phase is Phase.PROGRESSING and outcome.step is Step.GATE:
        return [_condition("Healthy", "Unknown", "Progressing", outcome.message or "Running health checks")]
    return [dict(before)] if before and outcome.phase is not Phase.READY else []


def _condition(sort: str, value: str, reason: str, message: str) -> dict[str, Any]:
    return {"type": sort, "status": value, "reason": reason, "message": message}


def _timed(condition: dict[str, Any], before: Condition | None, outcome: Outcome) -> Condition:
    same = before is not None and before.get("status") == condition["status"]
    since = before.get("lastTransitionTime") if same and before else None
    generation = condition.get("observedGeneration", outcome.generation)
    return {
        **condition,
        "observedGeneration": generation,
        "lastTransitionTime": since or times.moment(outcome.finished),
    }

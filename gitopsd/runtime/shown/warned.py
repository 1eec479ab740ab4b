"""PURE. What an outcome warns of, as a condition beside those that a kind words: there while there is something to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitopsd.model.outcome import Outcome

TYPE = "Warning"


def status(after: Mapping[str, Any], outcome: Outcome, before: Mapping[str, Any]) -> Mapping[str, Any]:
    """A kind's status after an outcome, with the warnings of that outcome; `before` says since when there are any."""
    rest = [condition for condition in after.get("conditions", ()) if condition.get("type") != TYPE]
    if not outcome.warnings:
        return {**after, "conditions": rest} if rest or "conditions" in after else after
    return {**after, "conditions": [*rest, _condition(outcome, _of(before))]}


def texts(status: Mapping[str, Any]) -> tuple[str, ...]:
    """The warnings that a status holds."""
    found = _of(status)
    return (str(found["message"]),) if found else ()


def _of(status: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((c for c in status.get("conditions", ()) if c.get("type") == TYPE), {})


def _condition(outcome: Outcome, before: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "type": TYPE,
        "status": "True",
        "observedGeneration": outcome.generation,
        "lastTransitionTime": before.get("lastTransitionTime") or outcome.finished.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reason": "Noticed",
        "message": "; ".join(outcome.warnings),
    }

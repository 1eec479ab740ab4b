"""What holds for every kind: deletion, a generation not yet observed, and the conditions Reconciling, Stalled and Ready.

`before` comes ahead of a kind's own rule; `fallback` is the rule of all kinds that have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitopsd.plugin import Body, Health, Verdict
from gitopsd_plugins.kubernetes.health import status


def before(body: Body) -> Verdict | None:
    """The verdict that needs no knowledge of the kind; None where the kind's own rule decides."""
    metadata = status.section(body, "metadata")
    if metadata.get("deletionTimestamp"):
        return Verdict(health=Health.TERMINATING, message=_leaving(metadata))
    observed = status.section(body, "status").get("observedGeneration")
    generation = metadata.get("generation")
    if isinstance(observed, int) and isinstance(generation, int) and observed != generation:
        return status.progressing(f"generation {generation} is not observed yet, the last was {observed}")
    if status.is_true(body, "Reconciling"):
        return status.progressing(status.words(status.condition(body, "Reconciling"), "is being reconciled"))
    if status.is_true(body, "Stalled"):
        return status.failed(status.words(status.condition(body, "Stalled"), "is stalled"))
    return None


def _leaving(metadata: Mapping[str, Any]) -> str:
    """Who is waited for: a finalizer whose controller is gone is the usual reason."""
    finalizers = metadata.get("finalizers")
    names = ", ".join(map(str, finalizers[:3])) if isinstance(finalizers, list) else ""
    return f"is being deleted and waits for the finalizers {names}" if names else "is being deleted"


def fallback(body: Body) -> Verdict:
    """Current without a Ready condition; a Ready that is not true is progress until the time is over, never failure."""
    ready = status.condition(body, "Ready")
    if not ready or ready.get("status") == "True":
        return status.current()
    return status.progressing(status.words(ready, "is not ready"))

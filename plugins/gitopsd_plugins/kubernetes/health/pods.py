"""Health of Pods. The one rule that looks at the clock: a pod may be unschedulable for a moment before it has failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from gitopsd.plugin import Body, Verdict
from gitopsd_plugins.kubernetes.health import status
from gitopsd_plugins.kubernetes.health.status import section

_SCHEDULING = timedelta(seconds=15)


def pod(body: Body, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Verdict:
    """Ready, or ended; crash loops and pods that no node takes have failed."""
    state = section(body, "status")
    match state.get("phase"):
        case "Succeeded":
            return status.current("has completed")
        case "Failed":
            return status.current("has ended with a failure")
        case "Running":
            return _running(body)
        case "Pending":
            return _pending(body, now())
    return status.progressing("is not observed yet")


def _running(body: Body) -> Verdict:
    if status.is_true(body, "Ready"):
        return status.current("is ready")
    looping = crash_looping(body)
    return status.failed(f"container {looping} is in a crash loop") if looping else status.progressing("is not ready")


def _pending(body: Body, now: datetime) -> Verdict:
    scheduled = status.condition(body, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        if _age(section(body, "metadata"), now) >= _SCHEDULING:
            return status.failed(status.words(scheduled, "no node takes it"))
        return status.progressing("waits for a node")
    looping = crash_looping(body)
    return status.failed(f"container {looping} is in a crash loop") if looping else status.progressing("is pending")


def crash_looping(body: Body) -> str:
    """The first container that crashes again and again; '' for none."""
    state = section(body, "status")
    containers = [*(state.get("initContainerStatuses") or []), *(state.get("containerStatuses") or [])]
    return next((str(c.get("name") or "?") for c in containers if _waiting(c) == "CrashLoopBackOff"), "")


def _waiting(container: Mapping[str, Any]) -> str:
    waiting = section(section(container, "state"), "waiting")
    return str(waiting.get("reason") or "")


def _age(metadata: Mapping[str, Any], now: datetime) -> timedelta:
    try:
        return now - datetime.fromisoformat(str(metadata["creationTimestamp"]).replace("Z", "+00:00"))
    except (KeyError, ValueError):
        return timedelta.max

"""Health of Deployments, StatefulSets, DaemonSets and ReplicaSets: counts of replicas, and their conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gitopsd.plugin import Body, Verdict
from gitopsd_plugins.kubernetes.health import status
from gitopsd_plugins.kubernetes.health.status import number, section

_Count = tuple[str, str]


def deployment(body: Body) -> Verdict:
    """All replicas are of the new template, available and ready, and none of the old is left."""
    progress = status.condition(body, "Progressing")
    if progress.get("reason") == "ProgressDeadlineExceeded":
        return status.failed(status.words(progress, "the progress deadline is exceeded"))
    spec, state = section(body, "spec"), section(body, "status")
    wanted = number(spec, "replicas", 1)
    lag = _lagging(state, wanted, (("replicas", "created"), ("updatedReplicas", "updated"))) or _surplus(
        number(state, "replicas"), number(state, "updatedReplicas"), "pods of the old template are left"
    )
    lag = lag or _lagging(state, number(state, "updatedReplicas"), (("availableReplicas", "available"),))
    lag = lag or _lagging(state, wanted, (("readyReplicas", "ready"),))
    if lag:
        return lag
    has_deadline = "progressDeadlineSeconds" in spec
    if has_deadline and progress.get("reason") != "NewReplicaSetAvailable":
        return status.progressing(status.words(progress, "the new replica set is not available yet"))
    if not status.is_true(body, "Available"):
        return status.progressing(status.words(status.condition(body, "Available"), "is not available"))
    return status.current(f"{wanted} replicas are available")


def stateful_set(body: Body) -> Verdict:
    """All replicas are ready and of the current revision; with a partition, as many as it lets be updated."""
    spec, state = section(body, "spec"), section(body, "status")
    strategy = section(spec, "updateStrategy")
    if strategy.get("type") == "OnDelete":
        return status.current("is updated when its pods are deleted")
    wanted = number(spec, "replicas", 1)
    lag = _lagging(state, wanted, (("replicas", "created"), ("readyReplicas", "ready")))
    partition = number(section(strategy, "rollingUpdate"), "partition", -1)
    if partition > 0:
        updated = max(wanted - partition, 0)
        return (
            lag
            or _lagging(state, updated, (("updatedReplicas", "updated"),))
            or status.current(f"{updated} are updated")
        )
    lag = lag or _lagging(state, wanted, (("currentReplicas", "of the current revision"),))
    lag = lag or _surplus(number(state, "replicas"), wanted, "pods are too many")
    if lag:
        return lag
    if state.get("currentRevision") != state.get("updateRevision"):
        return status.progressing("pods of the old revision are left")
    return status.current(f"{wanted} replicas are ready")


def daemon_set(body: Body) -> Verdict:
    """Every node that should run it runs the new template, available and ready."""
    metadata, state = section(body, "metadata"), section(body, "status")
    if "generation" not in metadata or "observedGeneration" not in state:
        return status.progressing("is not observed yet")
    if "desiredNumberScheduled" not in state:
        return status.progressing("the number of nodes is not known yet")
    counts = (
        ("currentNumberScheduled", "scheduled"),
        ("updatedNumberScheduled", "updated"),
        ("numberAvailable", "available"),
        ("numberReady", "ready"),
    )
    wanted = number(state, "desiredNumberScheduled")
    return _lagging(state, wanted, counts) or status.current(f"{wanted} replicas are ready")


def replica_set(body: Body) -> Verdict:
    """All replicas are labelled, available and ready."""
    spec, state = section(body, "spec"), section(body, "status")
    if status.is_true(body, "ReplicaFailure"):
        return status.progressing(status.words(status.condition(body, "ReplicaFailure"), "pods cannot be created"))
    wanted = number(spec, "replicas", 1)
    counts = (("fullyLabeledReplicas", "labelled"), ("availableReplicas", "available"), ("readyReplicas", "ready"))
    lag = _lagging(state, wanted, counts) or _surplus(number(state, "replicas"), wanted, "pods are too many")
    return lag or status.current(f"{wanted} replicas are available")


def _lagging(state: Mapping[str, Any], wanted: int, counts: Sequence[_Count]) -> Verdict | None:
    short = next(((number(state, name), word) for name, word in counts if number(state, name) < wanted), None)
    return None if short is None else status.progressing(f"{short[0]} of {wanted} replicas are {short[1]}")


def _surplus(there: int, wanted: int, words: str) -> Verdict | None:
    return status.progressing(f"{there - wanted} {words}") if there > wanted else None

"""A source's `.status` as Flux writes it, from a neutral outcome and the status before. Pure.

Conditions that say something is wrong or under way exist only while they are true: the flux command line, `kubectl wait`
and kstatus read it so. A time of transition moves only when the condition's status changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gitopsd.model.outcome import Outcome, Phase, Step
from gitopsd.model.tree import Artifact

_ORDER = (
    "Reconciling",
    "Stalled",
    "Ready",
    "SourceVerified",
    "IncludeUnavailable",
    "FetchFailed",
    "StorageOperationFailed",
    "ArtifactOutdated",
    "ArtifactInStorage",
)
_UNTOUCHED = {Phase.SUSPENDED, Phase.ORPHANED, Phase.UNSERVED, Phase.DELETED}
_UNAVAILABLE = {"NotFound", "NoArtifact"}
"""Reasons of a source that waits for others which it is made of."""
_UNWRITTEN = {"CopyFailure"}
"""Reasons of what was fetched and cannot be put together."""
_FETCHING = {Step.RESOLVE, Step.FETCH}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Condition:
    status: str
    reason: str
    message: str


Conditions = dict[str, _Condition]


def after(
    outcome: Outcome, previous: Mapping[str, Any], *, failed: str, observed: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The status after this outcome; a suspended object keeps the one that it had.

    `failed` is the kind's reason for a failure that names none itself. `observed` are the fields of status that repeat what
    was asked for, None where it was not: they move when it was brought.
    """
    if outcome.phase in _UNTOUCHED:
        return dict(previous) or {"observedGeneration": -1}
    found: dict[str, Any] = {
        "observedGeneration": _observed(outcome, previous),
        "conditions": _written(_conditions(outcome, previous, failed), outcome, previous),
    }
    if artifact := _kept(outcome, previous):
        found["artifact"] = artifact
    for name, value in observed.items():
        seen = value if outcome.phase is Phase.READY else previous.get(name)
        if seen is not None:
            found[name] = seen
    if outcome.artifact and outcome.artifact.made_of:
        found["includedArtifacts"] = [_artifact(part) for part in outcome.artifact.made_of]
    token = outcome.token or previous.get("lastHandledReconcileAt")
    if token:
        found["lastHandledReconcileAt"] = token
    return found


def _observed(outcome: Outcome, previous: Mapping[str, Any]) -> int:
    """A generation counts as seen once it ended well, or cannot."""
    ended = outcome.phase in {Phase.READY, Phase.STALLED}
    return outcome.generation if ended else int(previous.get("observedGeneration", -1))


def _conditions(outcome: Outcome, previous: Mapping[str, Any], failed: str) -> Conditions:
    stored = _stored(outcome, previous)
    match outcome.phase:
        case Phase.READY:
            ready = _Condition(status="True", reason="Succeeded", message=outcome.message)
            return {"Ready": stored.get("ArtifactInStorage", ready), **stored}
        case Phase.PROGRESSING:
            message = outcome.message or "reconciliation in progress"
            return {
                "Reconciling": _Condition(status="True", reason="Progressing", message=message),
                "Ready": _Condition(status="Unknown", reason="Progressing", message=message),
                **stored,
            }
        case Phase.STALLED:
            wrong = _Condition(status="True", reason=outcome.reason or "Failed", message=outcome.message)
            fetching = _failed(outcome, wrong) if outcome.step in _FETCHING else {}
            return {
                "Stalled": wrong,
                "Ready": _not(wrong),
                **fetching,
                **_outdated(outcome),
                **stored,
                **_unverified(outcome, wrong),
            }
        case _:
            wrong = _Condition(
                status="True", reason=outcome.reason or _reason(outcome, failed), message=outcome.message
            )
            retry = _Condition(status="True", reason="ProgressingWithRetry", message=outcome.message)
            return {
                "Reconciling": retry,
                "Ready": _not(wrong),
                **_failed(outcome, wrong),
                **_outdated(outcome),
                **stored,
                **_unverified(outcome, wrong),
            }


def _stored(outcome: Outcome, previous: Mapping[str, Any]) -> Conditions:
    artifact = _kept(outcome, previous)
    if not artifact:
        return {}
    message = f"stored artifact for revision '{artifact['revision']}'"
    verified = outcome.artifact.verified if outcome.artifact else ""
    return {
        "ArtifactInStorage": _Condition(status="True", reason="Succeeded", message=message),
        **({"SourceVerified": _Condition(status="True", reason="Succeeded", message=verified)} if verified else {}),
    }


def _unverified(outcome: Outcome, wrong: _Condition) -> Conditions:
    """What could not be verified says so, whatever was verified of the artifact in service."""
    return {"SourceVerified": _not(wrong)} if outcome.step is Step.VERIFY else {}


def _kept(outcome: Outcome, previous: Mapping[str, Any]) -> Mapping[str, Any]:
    """The artifact of before stays in service whatever happens, unless the object needs none any more."""
    if outcome.artifact:
        return _artifact(outcome.artifact)
    found: Mapping[str, Any] = {} if outcome.phase is Phase.READY else previous.get("artifact", {})
    return found


def _failed(outcome: Outcome, wrong: _Condition) -> Conditions:
    match outcome.step:
        case Step.VERIFY:
            return {}
        case Step.PUT:
            return {"StorageOperationFailed": wrong}
        case Step.FETCH if wrong.reason in _UNWRITTEN:
            return {"StorageOperationFailed": wrong}
        case Step.REQUIRE if wrong.reason in _UNAVAILABLE:
            return {"IncludeUnavailable": wrong}
    return {"FetchFailed": wrong}


def _outdated(outcome: Outcome) -> Conditions:
    if outcome.attempted is None or outcome.artifact is None or outcome.attempted == outcome.artifact.revision:
        return {}
    message = f"new upstream revision '{outcome.attempted}'"
    return {"ArtifactOutdated": _Condition(status="True", reason="NewRevision", message=message)}


def _reason(outcome: Outcome, failed: str) -> str:
    match outcome.step:
        case Step.PUT:
            return "ArchiveOperationFailed"
        case Step.REQUIRE:
            return "DependencyNotReady"
    return failed


def _not(wrong: _Condition) -> _Condition:
    return _Condition(status="False", reason=wrong.reason, message=wrong.message)


def _written(conditions: Conditions, outcome: Outcome, previous: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    before = {condition["type"]: condition for condition in previous.get("conditions", ())}
    return [
        {
            "type": name,
            "status": conditions[name].status,
            "observedGeneration": outcome.generation,
            "lastTransitionTime": _since(before.get(name), conditions[name], outcome.finished),
            "reason": conditions[name].reason,
            "message": conditions[name].message,
        }
        for name in _ORDER
        if name in conditions
    ]


def _since(before: Mapping[str, Any] | None, now: _Condition, finished: datetime) -> str:
    if before is not None and before["status"] == now.status:
        return str(before["lastTransitionTime"])
    return _time(finished)


def _artifact(artifact: Artifact) -> Mapping[str, Any]:
    """What Flux says of an artifact. Nothing serves it yet, so its url names the store and not a host."""
    source = artifact.source
    name = artifact.revision.digest.rpartition(":")[2]
    path = f"{source.kind.lower()}/{source.namespace}/{source.name}/{name}.tar.gz"
    metadata = {"metadata": dict(artifact.metadata)} if artifact.metadata else {}
    return {
        "digest": artifact.tree,
        "lastUpdateTime": _time(artifact.stored),
        **metadata,
        "path": path,
        "revision": str(artifact.revision),
        "size": artifact.size,
        "url": f"store:///{path}",
    }


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")

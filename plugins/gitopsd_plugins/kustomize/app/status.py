"""The status of a Kustomization in Flux's words, made of the neutral outcome and the status before. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitopsd.plugin import Inventory, Outcome, Owned, Phase, Step
from gitopsd_plugins.kustomize.app import conditions, history

_FAILED = {
    Step.ACCEPT: "ReconciliationFailed",
    Step.ARTIFACT: "ArtifactFailed",
    Step.RENDER: "BuildFailed",
    Step.REQUIRE: "DependencyNotReady",
    Step.PRUNE: "PruneFailed",
    Step.GATE: "HealthCheckFailed",
}
_REASONS = {Phase.READY: "ReconciliationSucceeded", Phase.ORPHANED: "Orphaned"}
_SETTLED = {Phase.READY, Phase.STALLED}
_UNCHANGED = {Phase.SUSPENDED, Phase.DELETED}


def after(outcome: Outcome, previous: Mapping[str, Any]) -> Mapping[str, Any]:
    """The new status. A suspended app keeps its conditions, as in Flux; `observedGeneration` moves when it is settled."""
    status: dict[str, Any] = {"observedGeneration": -1, **previous}
    if outcome.token:
        status["lastHandledReconcileAt"] = outcome.token
    if outcome.phase in _UNCHANGED:
        return status
    if outcome.phase in _SETTLED:
        status["observedGeneration"] = outcome.generation
    status["conditions"] = conditions.after(outcome, ready_reason(outcome), previous.get("conditions") or ())
    if outcome.attempted is not None:
        status["lastAttemptedRevision"] = str(outcome.attempted)
    if outcome.applied is not None:
        status["lastAppliedRevision"] = str(outcome.applied)
    if outcome.inventory is not None:
        status["inventory"] = {"entries": entries(outcome.inventory)}
    if outcome.rendered and outcome.phase is not Phase.PROGRESSING:
        status["history"] = history.after(outcome, ready_reason(outcome), previous.get("history") or ())
    return status


def ready_reason(outcome: Outcome) -> str:
    """The word for the condition Ready."""
    if outcome.phase is Phase.PROGRESSING:
        return "Progressing"
    if outcome.reason:
        return outcome.reason
    if outcome.phase in _REASONS:
        return _REASONS[outcome.phase]
    return _FAILED.get(outcome.step, "ReconciliationFailed") if outcome.step else "ReconciliationFailed"


def entries(inventory: Inventory) -> list[dict[str, str]]:
    """The inventory as Flux writes it, so that either can take over from the other."""
    return [{"id": entry_id(owned), "v": owned.version} for owned in inventory.owned.values()]


def entry_id(owned: Owned) -> str:
    """`namespace_name_group_Kind`; colons in the names of roles are written `__`."""
    i = owned.id
    return f"{i.namespace}_{i.name.replace(':', '__')}_{i.group}_{i.kind}"

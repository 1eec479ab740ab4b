"""PURE. From the board to what is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from gitopsd.model.declared import AppIntent, Broken, Declared, Deletion, Intent, SourceIntent, Unserved
from gitopsd.model.errors import GitopsdError, UsageError
from gitopsd.model.health import Health, Verdict
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.plugin import keys
from gitopsd.plugin.registry import Registry
from gitopsd.plugin.roles import Access
from gitopsd.reconcile import health, secrecy
from gitopsd.reconcile.look import Look
from gitopsd.reconcile.world import Board
from gitopsd.runtime.shown import warned
from gitopsd.runtime.shown.view import ClusterView, Leaf, View

_READY: Mapping[Phase, bool | None] = {Phase.READY: True, Phase.PROGRESSING: None, Phase.UNSERVED: None}


def of(ref: ObjectRef, board: Board, outcome: Outcome | None, status: Mapping[str, Any]) -> View:
    """The view of one object, from its declaration, its last outcome and its stored status."""
    declared, intent = board.declared.get(ref), board.intents.get(ref)
    if outcome is None and declared is not None and intent is not None:
        return stored(declared, intent, status)
    orphan = intent is None
    phase = Phase.ORPHANED if orphan else Phase.UNSERVED if isinstance(intent, Unserved) else _phase(outcome)
    return View(
        ref=ref,
        phase=phase,
        ready=_READY.get(phase, False) if phase else None,
        message=_message(phase, outcome),
        reason=outcome.reason if outcome else "",
        revision="" if isinstance(intent, SourceIntent) and intent.bare else _revision(outcome),
        app=isinstance(intent, AppIntent),
        suspended=_suspended(intent),
        counted=phase is not Phase.UNSERVED,
        parent=declared.parent if declared else None,
        warnings=outcome.warnings if outcome else (),
        place=str(declared.place) if declared else "",
        plan=outcome.plan.digest if outcome and outcome.reason == "DeletionNotApproved" and outcome.plan else "",
        document=_document(declared, ref, status),
    )


def stored(declared: Declared, intent: Intent, status: Mapping[str, Any]) -> View:
    """The view of an object that this process has not looked at: what was last written about it."""
    unserved = isinstance(intent, Unserved)
    ready: Mapping[str, Any] = next((c for c in status.get("conditions", ()) if c.get("type") == "Ready"), {})
    artifact = status.get("artifact") or {}
    broken = intent.message if isinstance(intent, Broken) else ""
    word = False if broken else {"True": True, "False": False}.get(ready.get("status", ""))
    return View(
        ref=declared.ref,
        phase=Phase.UNSERVED if unserved else None,
        ready=None if unserved else word,
        message="not served yet" if unserved else broken or ready.get("message", "waiting to be reconciled"),
        reason=ready.get("reason", ""),
        revision=status.get("lastAppliedRevision") or artifact.get("revision") or "",
        app=isinstance(intent, AppIntent),
        suspended=_suspended(intent),
        counted=not unserved,
        parent=declared.parent,
        warnings=warned.texts(status),
        place=str(declared.place),
        document=_document(declared, declared.ref, status),
    )


def _phase(outcome: Outcome | None) -> Phase | None:
    return outcome.phase if outcome else None


def _message(phase: Phase | None, outcome: Outcome | None) -> str:
    match phase:
        case Phase.ORPHANED:
            return "its declaration vanished; what it applied is kept until `gitopsd delete`"
        case Phase.UNSERVED:
            return "not served yet"
        case None:
            return "waiting to be reconciled"
    return outcome.message if outcome else ""


def _revision(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    if outcome.applied is not None:
        return str(outcome.applied)
    return str(outcome.artifact.revision) if outcome.artifact else str(outcome.attempted or "")


def _suspended(intent: Intent | None, now: datetime | None = None) -> bool:
    """By its own declaration. Without `now` a hold counts whose end nobody looked at."""
    if not isinstance(intent, AppIntent | SourceIntent):
        return False
    return intent.suspended or (intent.hold is not None and (now is None or intent.hold.holds(now)))


def suspended(ref: ObjectRef, board: Board, now: datetime) -> bool:
    """True when nobody is to touch it: by its own spec, or as recorded in the cluster."""
    recorded = board.inventories.get(ref)
    return _suspended(board.intents.get(ref), now) or (recorded is not None and recorded.held(now) is not None)


def line(ref: ObjectRef, cluster: str, board: Board) -> Mapping[str, str]:
    """What every log line of an attempt names: of an app its cluster and the revision that its source offers."""
    intent = board.intents.get(ref)
    if not isinstance(intent, AppIntent):
        return {}
    artifact = board.artifacts.get(intent.source)
    return {"cluster": cluster, **({"revision": str(artifact.revision)} if artifact else {})}


def _document(declared: Declared | None, ref: ObjectRef, status: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object with its status; one that an app rendered names that app as whatever it applies does."""
    found: dict[str, Any] = {"kind": ref.kind, "metadata": {"namespace": ref.namespace, "name": ref.name}}
    if declared is not None:
        found = dict(_shown(declared))
    if declared is not None and declared.parent is not None:
        metadata = found["metadata"]
        annotations = {**(metadata.get("annotations") or {}), keys.OWNER_FULL: str(declared.parent)}
        found["metadata"] = {**metadata, "annotations": annotations}
    return {**found, **({"status": dict(status)} if status else {})}


def _shown(declared: Declared) -> Mapping[str, Any]:
    """The document; with secrets masked where another app's render put values from Secrets into it."""
    if not declared.hidden:
        return declared.document
    (shown,) = secrecy.masked(declared.document, known=declared.hidden)
    return shown or {}


def leaf(id: ResourceId, seen: Look, registry: Registry) -> Leaf:
    """An object in the cluster, with its health, or what keeps it out of sight."""
    hidden = seen.unread.get(id)
    verdict = health.assess(registry.health, seen.live.get(id)) if hidden is None else _hidden(hidden)
    return Leaf(kind=id.kind, namespace=id.namespace, name=id.name, health=str(verdict.health), message=verdict.message)


def _hidden(error: GitopsdError) -> Verdict:
    return Verdict(health=Health.UNKNOWN, message=str(error))


def find(name: str, refs: Iterable[ObjectRef], registry: Registry) -> tuple[ObjectRef, ...]:
    """The objects that `NAME`, `KIND/NAME`, `NAMESPACE/NAME` or `KIND/NAMESPACE/NAME` means, the kind in any usual form.

    Raises `UsageError` for none.
    """
    found = tuple(ref for ref in refs if name in names(ref, registry))
    if not found:
        raise UsageError(f"{name}: no such object; `gitopsd get` lists what is declared")
    return found


def names(ref: ObjectRef, registry: Registry) -> set[str]:
    """Every name that means this object."""
    kind = registry.kind_named(ref.kind)
    kinds = {ref.kind, ref.kind.lower(), *(kind.aliases if kind else ())}
    short = {ref.name, f"{ref.namespace}/{ref.name}"}
    return short | {f"{k}/{ref.name}" for k in kinds} | {f"{k}/{ref.namespace}/{ref.name}" for k in kinds}


def ending(ref: ObjectRef, deletion: Deletion, cluster: str | None) -> AppIntent:
    """An intent for an app that nobody declares any more: good for its deletion only."""
    soon = timedelta(minutes=5)
    return AppIntent(
        ref=ref,
        cluster=cluster,
        source=ref,
        renderer="",
        spec={},
        interval=soon,
        retry_interval=soon,
        timeout=soon,
        prune=True,
        deletion=deletion,
    )


def cluster(intent: Intent | None, declared: Sequence[str]) -> str:
    """Where the object's app goes: what it says, or the only cluster there is."""
    if isinstance(intent, AppIntent) and intent.kubeconfig:
        return str(intent.kubeconfig)
    name = intent.cluster if isinstance(intent, AppIntent) else None
    return name or (declared[0] if len(declared) == 1 else "")


def clusters(declared: Iterable[str], connected: Iterable[Access]) -> tuple[ClusterView, ...]:
    """The declared clusters by name, and how those are reached that are connected."""
    lines = {access.cluster: access for access in connected}
    return tuple(
        ClusterView(name=name, server=lines[name].server, context=lines[name].context, connected=True)
        if name in lines
        else ClusterView(name=name)
        for name in sorted(declared)
    )

"""PURE. What to do with each object, and why.

`each` decides for every manifest of a stage alone, `together` where one keeps the others back. Both look only at
what was observed and rehearsed; nothing here waits, asks or writes. Field changes come masked from `diff`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from gitopsd.model import digest
from gitopsd.model.change import Action, Applied, Change, Engine, Live, Ours, Plan, Rehearsal, Sight, Unmanaged
from gitopsd.model.declared import PLAIN, Adopt, Atomic, DriftPolicy, Treatment, WriteMode
from gitopsd.model.errors import GitopsdError, Misconfigured, NotReady, Rejected, Transient
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.manifest import Manifest
from gitopsd.reconcile import authors, diff, health
from gitopsd.reconcile.diff import Comparison

FOREIGN = "OwnedByAnother"
CONTESTED = "ClaimedByAnother"
_ENDED = "it was removed when it was done (ttlSecondsAfterFinished); it runs again when Git changes it"
_PRECIOUS = {
    ("", "Namespace"),
    ("", "PersistentVolume"),
    ("", "PersistentVolumeClaim"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
}
"""What takes others, or data, along when it is deleted: only a mark on the object itself has it re-created."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Everything that a decision about wanted objects rests on."""

    app: ObjectRef
    adopt: Adopt
    atomic: Atomic
    live: Mapping[ResourceId, Live]
    unread: Mapping[ResourceId, GitopsdError] = field(default_factory=dict)
    """What could not be looked at, and why."""
    refused: ResourceId | None = None
    """Of an earlier stage that was refused: of this one nothing new is written."""
    standing: frozenset[ResourceId] = frozenset()
    """Just as they were applied, as watches show: they were not asked for."""
    applied: Mapping[ResourceId, Applied] = field(default_factory=dict)
    rehearsals: Mapping[ResourceId, Rehearsal] = field(default_factory=dict)
    treatments: Mapping[ResourceId, Treatment] = field(default_factory=dict)
    taken: Mapping[ResourceId, ObjectRef] = field(default_factory=dict)
    namespaces: frozenset[str] = frozenset()
    """Namespaces that the app itself brings."""
    coming: Mapping[str, ObjectRef] = field(default_factory=dict)
    """Namespaces that another app's plan brings, and which one."""
    force: bool = False
    drift: DriftPolicy = DriftPolicy.ENABLED
    shown: bool = False
    """The plan is to be shown, not carried out: changes carry the object before and after."""


def differing(manifests: Iterable[Manifest], ground: Ground) -> tuple[Manifest, ...]:
    """The manifests that a digest, a mark or an owner says may have to be written: those worth a rehearsal."""
    return tuple(m for m in manifests if _settled(m, ground) is None)


def each(manifests: Iterable[Manifest], ground: Ground) -> Iterator[Change]:
    """One change per manifest, in order, as if there were no other."""
    return (_settled(m, ground) or _rehearsed(m, ground) for m in manifests)


def together(changes: tuple[Change, ...], ground: Ground) -> tuple[Change, ...]:
    """The changes of a whole stage.

    Under `Atomic.STAGE` one failed rehearsal, or one object that cannot be looked at, turns every write of the stage back that
    is not only to put back what was applied already: a stage is not to be half new.
    """
    if ground.atomic is Atomic.OBJECT:
        return changes
    culprit = ground.refused or _culprit(changes, ground)
    return changes if culprit is None else tuple(_turned_back(change, culprit, ground) for change in changes)


def _culprit(changes: Iterable[Change], ground: Ground) -> ResourceId | None:
    """The first object for whose sake the whole stage is refused."""
    for change in changes:
        rehearsal = ground.rehearsals.get(change.id)
        if change.unread or (rehearsal is not None and _failed(rehearsal, ground)):
            return change.id
    return None


def _settled(manifest: Manifest, ground: Ground) -> Change | None:
    """The decision where no rehearsal is needed."""
    id, live = manifest.id, ground.live.get(manifest.id)
    treatment = ground.treatments.get(id, PLAIN)

    def change(action: Action, reason: str = "", *, drifted: bool = False) -> Change:
        return Change(id=id, action=action, reason=reason, manifest=manifest, live=live, drifted=drifted)

    def refused(error: GitopsdError) -> Change:
        return Change(
            id=id,
            action=Action.REFUSE,
            reason=str(error),
            manifest=manifest,
            live=live,
            error=error.about(f"{ground.app}: {id}"),
        )

    if treatment.mode is WriteMode.IGNORE:
        return change(Action.SKIP, treatment.why)
    holder = ground.taken.get(id)
    if holder is not None:
        return refused(Misconfigured(f"{holder} wants it too; an object can belong to one app only", reason=CONTESTED))
    if id in ground.standing:
        return change(Action.UNCHANGED)
    if error := ground.unread.get(id):
        return replace(refused(error), unread=True)
    if treatment.mode is WriteMode.CREATE_ONLY and live is not None:
        return change(Action.SKIP, treatment.why)
    if live is None:
        left = _left_gone(manifest, ground)
        return change(Action.SKIP, left, drifted=True) if left else None
    if obstacle := _obstacle(live, ground):
        return refused(obstacle)
    applied = ground.applied.get(id)
    as_applied = live.owner == Ours(app=ground.app) and applied == Applied(manifest=manifest.digest, mark=live.mark)
    if as_applied and not live.yields:
        return change(Action.UNCHANGED)
    if ground.drift is DriftPolicy.DISABLED and _drifted(manifest, ground):
        return change(Action.SKIP, _left(ground, "somebody changed it"), drifted=True)
    return None


def stands(manifest: Manifest, sight: Sight | None, applied: Applied | None, app: ObjectRef) -> bool:
    """True where a watch shows the object just as this app applied this very manifest."""
    if sight is None or sight.terminating or sight.version != manifest.version or sight.owner != Ours(app=app):
        return False
    return applied == Applied(manifest=manifest.digest, mark=sight.mark)


def _drifted(manifest: Manifest, ground: Ground) -> bool:
    """True where Git did not change the object since it was applied, and the cluster did."""
    applied, live = ground.applied.get(manifest.id), ground.live.get(manifest.id)
    if applied is None or applied.manifest != manifest.digest:
        return False
    return live is None or (live.owner == Ours(app=ground.app) and live.mark != applied.mark)


def _left_gone(manifest: Manifest, ground: Ground) -> str:
    """Why an object that is gone is not put back; '' where it is."""
    if not _drifted(manifest, ground):
        return ""
    if health.ends(manifest):
        return _ENDED
    return "" if ground.drift is DriftPolicy.ENABLED else _left(ground, "it is gone")


def _left(ground: Ground, what: str) -> str:
    return f"{what}; left so, as gitopsd.io/drift is {ground.drift}"


def _obstacle(live: Live, ground: Ground) -> GitopsdError | None:
    if live.terminating:
        return Transient("it is being deleted; it is applied again once it is gone")
    foreign = _foreign(live, ground)
    return Misconfigured(foreign, reason=FOREIGN) if foreign else None


def _foreign(live: Live, ground: Ground) -> str:
    match live.owner:
        case Engine(name=name) if ground.adopt is not Adopt.ALWAYS:
            return (
                f'it is managed by {name}; to take it over set the annotation gitopsd.io/adopt: "true" on {ground.app}'
            )
        case Unmanaged(managers=managers) if ground.adopt is Adopt.NEVER:
            by = f" (managers: {', '.join(managers)})" if managers else ""
            return f"it exists already and is not ours{by}; Settings.adopt says never"
    return ""


def _rehearsed(manifest: Manifest, ground: Ground) -> Change:
    live, rehearsal = ground.live.get(manifest.id), ground.rehearsals.get(manifest.id)
    treatment = ground.treatments.get(manifest.id, PLAIN)
    change = Change(
        id=manifest.id,
        action=Action.CREATE,
        manifest=manifest,
        live=live,
        treatment=treatment,
        force=_may_recreate(manifest.id, ground),
    )
    if rehearsal is not None and _forbidden(rehearsal, ground):
        change, rehearsal = replace(change, estimated=True), None
    if rehearsal is not None and _failed(rehearsal, ground):
        return _refused(change, rehearsal, ground)
    if rehearsal is not None and rehearsal.immutable:
        change = _compared(change, manifest, None, shown=ground.shown)
        return replace(change, action=Action.RECREATE, reason="a field of it cannot be changed in place")
    if live is None:
        change = replace(change, reason=_lacks(rehearsal, ground) if rehearsal is not None else "")
        return _compared(change, manifest, rehearsal) if ground.shown else change
    change = _compared(change, manifest, rehearsal, shown=ground.shown)
    if live.owner != Ours(app=ground.app):
        return replace(change, action=Action.ADOPT, reason=_adopted_from(live))
    answer = rehearsal if rehearsal is not None and rehearsal.body is not None else None
    if answer is not None and not change.fields and answer.mark == live.mark:
        return replace(change, action=Action.UNCHANGED, before=None, ours=None, after=None)
    if ground.drift is DriftPolicy.WARN and _drifted(manifest, ground):
        return replace(change, action=Action.SKIP, reason=_left(ground, "somebody changed it"), drifted=True)
    if answer is None:
        return _not_rehearsed(change)
    return replace(change, action=Action.UPDATE, reason="" if change.fields else "field ownership only")


def _may_recreate(id: ResourceId, ground: Ground) -> bool:
    marked = ground.treatments.get(id, PLAIN).force
    return marked or (ground.force and (id.group, id.kind) not in _PRECIOUS)


def _refused(change: Change, rehearsal: Rehearsal, ground: Ground) -> Change:
    error = rehearsal.error
    assert error is not None
    if rehearsal.immutable:
        how = (
            "force re-creates no namespace, definition or volume unless the object itself is marked for it"
            if ground.force
            else "a field of it cannot be changed in place: delete it, or let it be re-created (force)"
        )
        error = type(error)(f"{error}; {how}", reason=error.reason)
    return replace(change, action=Action.REFUSE, reason=str(error), error=error)


def _not_rehearsed(change: Change) -> Change:
    if change.estimated and not change.fields:
        return replace(change, action=Action.UNCHANGED, before=None, ours=None, after=None)
    return replace(change, action=Action.UPDATE, reason="" if change.estimated else "not compared yet")


def _compared(change: Change, manifest: Manifest, rehearsal: Rehearsal | None, *, shown: bool = True) -> Change:
    """The change with what differs; for one that is shown also whose difference it is, and the object before and after."""
    live = change.live.body if change.live else None
    after = rehearsal.body if rehearsal is not None and rehearsal.body is not None else None
    if after is None:
        after = authors.estimated(live, manifest.body) if shown else manifest.body
        return _with(change, diff.compared(live, after, hidden=manifest.hidden), shown=shown)
    assert rehearsal is not None
    sent = (rehearsal.sent or manifest.body) if shown else None
    return _with(change, diff.compared(live, after, sent=sent, hidden=manifest.hidden), shown=shown)


def _with(change: Change, found: Comparison, *, shown: bool) -> Change:
    if not shown:
        return replace(change, fields=found.fields)
    return replace(change, fields=found.fields, before=found.before, ours=found.ours, after=found.after)


def _forbidden(rehearsal: Rehearsal, ground: Ground) -> bool:
    """True where this identity may look but not rehearse: a plan that is only shown is estimated then."""
    return ground.shown and isinstance(rehearsal.error, Rejected) and rehearsal.error.reason == "Forbidden"


def _failed(rehearsal: Rehearsal, ground: Ground) -> bool:
    """True for a refusal that holds the stage back. What lacks its kind, or a namespace that the app brings, waits alone."""
    if rehearsal.immutable and _may_recreate(rehearsal.id, ground):
        return False
    brought = rehearsal.id.namespace in ground.namespaces or rehearsal.id.namespace in ground.coming
    alone = isinstance(rehearsal.error, NotReady) or brought
    return rehearsal.error is not None and not (rehearsal.waits and alone) and not _forbidden(rehearsal, ground)


def _lacks(rehearsal: Rehearsal, ground: Ground) -> str:
    if not rehearsal.waits:
        return ""
    if isinstance(rehearsal.error, NotReady):
        return "the cluster does not know its kind yet"
    return f"its namespace comes with {ground.coming.get(rehearsal.id.namespace, 'this app')}"


def _adopted_from(live: Live) -> str:
    match live.owner:
        case Ours(app=app):
            return f"moved from {app}"
        case Engine(name=name):
            return f"taken over from {name}"
        case Unmanaged(managers=managers):
            return f"taken over from {', '.join(managers) or 'nobody'}"


def _turned_back(change: Change, culprit: ResourceId, ground: Ground) -> Change:
    if not change.action.writes or _puts_back(change, ground):
        return change
    return replace(change, action=Action.HOLD, reason=f"nothing of this stage is written: {culprit} was refused")


def _puts_back(change: Change, ground: Ground) -> bool:
    """True for a write that states nothing but what was applied last, since somebody changed or removed that."""
    assert change.manifest is not None
    return change.action in {Action.CREATE, Action.UPDATE} and _drifted(change.manifest, ground)


def of(app: ObjectRef, cluster_uid: str, changes: Iterable[Change]) -> Plan:
    """The whole plan. Its digest names the deletions only: it stays the same while other objects come and go."""
    changes = tuple(changes)
    gone = sorted(str((c.id.group, c.id.kind, c.id.namespace, c.id.name)) for c in changes if _deletes(c))
    return Plan(app=app, changes=changes, digest=digest.of_value([str(app), cluster_uid, gone]))


def _deletes(change: Change) -> bool:
    return change.deletion and change.action in {Action.DELETE, Action.REFUSE}

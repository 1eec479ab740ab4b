"""PURE. Which of the objects that an app wants no more are deleted now, held, let go, or refused until approved.

The rules, in this order: an object that is gone, or no longer carries this app's owner labels, is let go; a marker on the
live object keeps it; an object that another app wants moves there; one that cannot be looked at is held; an app that reads the same source and has not rendered
this revision yet holds it; a deletion over the budget, with collateral, or of a volume needs an approval.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gitopsd.model.change import Action, Change, Live, Ours
from gitopsd.model.declared import PLAIN, Treatment, WriteMode
from gitopsd.model.errors import GitopsdError
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.inventory import Inventory, Owned

TERMINATING = "it is being deleted"
_VOLUMES = {"PersistentVolume", "PersistentVolumeClaim"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Everything that a decision about unwanted objects rests on."""

    app: ObjectRef
    enabled: bool
    live: Mapping[ResourceId, Live]
    unread: Mapping[ResourceId, GitopsdError] = field(default_factory=dict)
    """What could not be looked at, and why."""
    treatments: Mapping[ResourceId, Treatment] = field(default_factory=dict)
    movers: Mapping[ResourceId, ObjectRef] = field(default_factory=dict)
    """Apps that want an id now."""
    tracked: frozenset[ResourceId] = frozenset()
    """Ids among `movers` that the other app's record holds already."""
    waiting: tuple[ObjectRef, ...] = ()
    """Apps of the same source that have not rendered this revision, while that may still come."""
    children: Mapping[ResourceId, int] = field(default_factory=dict)
    """Declared objects in the record, wanted ones too, with the number of objects that go with each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The rules that ask for an approval, and what they look at."""

    mass_deletion: bool = True
    volumes: bool = True
    overdue: tuple[ObjectRef, ...] = ()
    """Apps of the same source that had their time to render this revision and have not: broken or suspended."""
    collateral: Mapping[ResourceId, Sequence[Live]] = field(default_factory=dict)
    """What deleting an id would take along, only where the rule is on."""


def unwanted(inventory: Inventory, wanted: frozenset[ResourceId], ground: Ground) -> tuple[Change, ...]:
    """One change per owned id that is not wanted, before the budget."""
    return tuple(_decide(owned, ground) for id, owned in sorted(inventory.owned.items()) if id not in wanted)


def _decide(owned: Owned, ground: Ground) -> Change:
    id, live = owned.id, ground.live.get(owned.id)

    def change(action: Action, reason: str = "") -> Change:
        return Change(id=id, action=action, reason=reason, live=live, deletion=True)

    child = id in ground.children
    unread = ground.unread.get(id)
    if live is None and not child and unread is None:
        return change(Action.SKIP, "it is gone already")
    if not ground.enabled:
        return change(Action.SKIP, "prune is off: it stays and is not tracked any more")
    if live is not None and live.owner != Ours(app=ground.app):
        return change(Action.SKIP, "it does not carry our owner labels any more")
    treatment = ground.treatments.get(id, PLAIN)
    if treatment.keep or treatment.mode is WriteMode.IGNORE:
        return change(Action.SKIP, treatment.why)
    mover = ground.movers.get(id)
    if mover is not None:
        return change(Action.SKIP if id in ground.tracked else Action.HOLD, f"moves to {mover}")
    if unread is not None:
        held = change(Action.HOLD, f"it cannot be looked at: {unread}")
        return replace(held, error=unread.about(f"{ground.app}: {id} is not deleted yet"), unread=True)
    if ground.waiting:
        return change(Action.HOLD, f"held: {ground.waiting[0]} has not rendered this revision yet")
    if live is not None and live.terminating:
        return change(Action.HOLD, TERMINATING)
    return change(Action.DELETE, "no longer declared by its parent" if child else "")


def awaited(changes: Iterable[Change], ground: Ground) -> frozenset[ObjectRef]:
    """The apps whose render or adoption the held deletions wait for."""
    held = [c.id for c in changes if c.deletion and c.action is Action.HOLD]
    movers = {ground.movers[id] for id in held if id in ground.movers}
    return frozenset(movers.union(ground.waiting) if held else movers)


def budgeted(
    changes: Sequence[Change], inventory: Inventory, ground: Ground, budget: Budget, *, approved: bool
) -> tuple[Change, ...]:
    """The same changes, with every deletion that needs an approval refused. Only deletions are: all else goes on."""
    if approved:
        return tuple(changes)
    planned = frozenset(c.id for c in changes if c.action is Action.DELETE)
    whole = _overdue(budget) or (_mass(planned, inventory, ground) if budget.mass_deletion else "")
    first = tuple(_refused(change, whole or _volume(change, budget)) for change in changes)
    going = tuple(change for change in first if change.action is Action.DELETE)
    return tuple(_refused(change, _collateral(change, going, budget)) for change in first)


def _mass(planned: frozenset[ResourceId], inventory: Inventory, ground: Ground) -> str:
    total = sum(ground.children.get(id, 1) for id, owned in inventory.owned.items() if not owned.intended)
    gone = sum(ground.children.get(id, 1) for id in planned)
    if gone < 3 or gone * 2 <= total:
        return ""
    return f"deleting {gone} of {total} objects is more than half of the app"


def _refused(change: Change, reason: str) -> Change:
    return replace(change, action=Action.REFUSE, reason=reason) if reason and change.action is Action.DELETE else change


def _overdue(budget: Budget) -> str:
    if not budget.overdue:
        return ""
    return f"{budget.overdue[0]} may want it and has not rendered this revision for long"


def _collateral(change: Change, going: Sequence[Change], budget: Budget) -> str:
    beside = budget.collateral.get(change.id, ())
    planned = {c.id for c in going}
    owned = _owned_by({c.live.uid for c in going if c.live} - {""}, beside)
    lost = [live for live in beside if live.id not in planned and not (live.uid and live.uid in owned)]
    if not lost:
        return ""
    names = ", ".join(str(live.id) for live in lost[:3])
    more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
    return f"deleting it would take along objects that are not in the plan: {names}{more}"


def _owned_by(owners: set[str], objects: Sequence[Live]) -> set[str]:
    """The uids of all that these owners own, over any number of steps: a Deployment's ReplicaSets and their Pods."""
    found, more = set(owners), True
    while more:
        new = {live.uid for live in objects if live.uid not in found and _owners(live) & found}
        found |= new
        more = bool(new)
    return found


def _owners(live: Live) -> set[str]:
    metadata = live.body.get("metadata") or {}
    return {str(owner.get("uid", "")) for owner in metadata.get("ownerReferences") or ()}


def _volume(change: Change, budget: Budget) -> str:
    if budget.volumes and not change.id.group and change.id.kind in _VOLUMES:
        return "deleting a volume may lose its data"
    return ""


def holders(
    app: ObjectRef, source: ObjectRef, revision: str, others: Iterable[tuple[ObjectRef, ObjectRef, str | None]]
) -> tuple[ObjectRef, ...]:
    """Of `others` (app, source, rendered revision): those of the same source that have not rendered this revision."""
    return tuple(sorted(o for o, its, seen in others if o != app and its == source and seen != revision))

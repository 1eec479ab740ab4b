"""PURE. Which of the objects that an app wants no more are deleted now, held, let go, or refused until approved.

The rules, in this order: an object that is gone, or no longer carries this app's owner labels, is let go; a marker on the
live object keeps it; an object that another app wants moves there; an app that reads the same source and has not rendered
this revision yet holds it; a deletion over the budget, with collateral, or of a volume needs an approval.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gitopsd.model.change import Action, Change, Live, Ours
from gitopsd.model.declared import ObjectRule
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.inventory import Inventory, Owned

_VOLUMES = {"PersistentVolume", "PersistentVolumeClaim"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Everything that a decision about unwanted objects rests on."""

    app: ObjectRef
    enabled: bool
    live: Mapping[ResourceId, Live]
    rules: Mapping[ResourceId, tuple[ObjectRule, str]] = field(default_factory=dict)
    movers: Mapping[ResourceId, ObjectRef] = field(default_factory=dict)
    """Apps that want an id now."""
    tracked: frozenset[ResourceId] = frozenset()
    """Ids among `movers` that the other app's record holds already."""
    waiting: tuple[ObjectRef, ...] = ()
    """Apps of the same source that have not rendered this revision, while that may still come."""
    children: Mapping[ResourceId, int] = field(default_factory=dict)
    """Declared objects among the ids, with the number of objects that each owns."""


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

    if id in ground.children:
        return change(Action.DELETE, "no longer declared by its parent")
    if live is None:
        return change(Action.SKIP, "it is gone already")
    if not ground.enabled:
        return change(Action.SKIP, "prune is off: it stays in the cluster and is not tracked any more")
    if live.owner != Ours(app=ground.app):
        return change(Action.SKIP, "it does not carry our owner labels any more")
    rule, why = ground.rules.get(id, (ObjectRule.APPLY, ""))
    if rule in {ObjectRule.KEEP, ObjectRule.IGNORE}:
        return change(Action.SKIP, why)
    mover = ground.movers.get(id)
    if mover is not None:
        return change(Action.SKIP if id in ground.tracked else Action.HOLD, f"moves to {mover}")
    if ground.waiting:
        return change(Action.HOLD, f"held: {ground.waiting[0]} has not rendered this revision yet")
    if live.terminating:
        return change(Action.HOLD, "it is being deleted")
    return change(Action.DELETE)


def budgeted(
    changes: Sequence[Change], inventory: Inventory, ground: Ground, budget: Budget, *, approved: bool
) -> tuple[Change, ...]:
    """The same changes, with every deletion that needs an approval refused. Only deletions are: all else goes on."""
    if approved:
        return tuple(changes)
    planned = frozenset(c.id for c in changes if c.action is Action.DELETE)
    mass = _mass(planned, inventory, ground) if budget.mass_deletion else ""
    return tuple(_allowed(change, planned, budget, mass) for change in changes)


def _mass(planned: frozenset[ResourceId], inventory: Inventory, ground: Ground) -> str:
    total = sum(ground.children.get(id, 1) for id, owned in inventory.owned.items() if not owned.intended)
    gone = sum(ground.children.get(id, 1) for id in planned)
    if gone < 3 or gone * 2 <= total:
        return ""
    return f"deleting {gone} of {total} objects is more than half of the app"


def _allowed(change: Change, planned: frozenset[ResourceId], budget: Budget, mass: str) -> Change:
    if change.action is not Action.DELETE:
        return change
    reason = _overdue(budget) or mass or _collateral(change, planned, budget) or _volume(change, budget)
    return replace(change, action=Action.REFUSE, reason=reason) if reason else change


def _overdue(budget: Budget) -> str:
    if not budget.overdue:
        return ""
    return f"{budget.overdue[0]} may want it and has not rendered this revision for long"


def _collateral(change: Change, planned: frozenset[ResourceId], budget: Budget) -> str:
    lost = [live for live in budget.collateral.get(change.id, ()) if live.id not in planned]
    if not lost:
        return ""
    names = ", ".join(str(live.id) for live in lost[:3])
    more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
    return f"deleting it would take along objects that are not in the plan: {names}{more}"


def _volume(change: Change, budget: Budget) -> str:
    if budget.volumes and not change.id.group and change.id.kind in _VOLUMES:
        return "deleting a volume may lose its data"
    return ""


def holders(
    app: ObjectRef, source: ObjectRef, revision: str, others: Iterable[tuple[ObjectRef, ObjectRef, str | None]]
) -> tuple[ObjectRef, ...]:
    """Of `others` (app, source, rendered revision): those of the same source that have not rendered this revision."""
    return tuple(sorted(o for o, its, seen in others if o != app and its == source and seen != revision))

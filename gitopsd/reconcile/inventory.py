"""PURE. The write-ahead record of what an app owns: grown before the first write, shrunk after the last.

Union first, shrink last: at no moment does an object exist that nobody tracks, wherever the process dies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from gitopsd.model.change import Action, Change, Ours, Plan, Result
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.inventory import Decision, Inventory, Owned
from gitopsd.model.manifest import Manifest

_DECISIONS = 10
"""That a record keeps; older ones are in the ledger only."""


def at_first(app: ObjectRef, cluster_uid: str) -> Inventory:
    """The record of an app that owns nothing yet."""
    return Inventory(app=app, cluster_uid=cluster_uid)


def before(old: Inventory, wanted: Iterable[Manifest]) -> Inventory:
    """The record to write before the first other write: everything owned, and everything wanted as *intended*."""
    owned = dict(old.owned)
    for manifest in wanted:
        known = owned.get(manifest.id)
        if known is None:
            owned[manifest.id] = Owned(id=manifest.id, version=manifest.version, intended=True)
        elif known.version != manifest.version:
            owned[manifest.id] = replace(known, version=manifest.version)
    return replace(old, owned=owned)


def after(written: Inventory, changes: Iterable[Change], results: Mapping[ResourceId, Result]) -> Inventory:
    """The record to write after the last other write.

    Failed ids stay, and so does every id whose deletion failed, was refused or is held. What leaves: objects that are gone
    or were let go, and refused or skipped creates and updates of objects that were never ours.
    """
    owned = dict(written.owned)
    for change in changes:
        entry = owned.get(change.id)
        if entry is None:
            continue
        result = results.get(change.id)
        if _leaves(change, result, entry, written.app):
            del owned[change.id]
        elif entry.intended and (change.action is Action.UNCHANGED or (result is not None and result.error is None)):
            owned[change.id] = replace(entry, intended=False)
    return replace(written, owned=owned)


def _leaves(change: Change, result: Result | None, entry: Owned, app: ObjectRef) -> bool:
    if change.unread:
        return False
    match change.action:
        case Action.DELETE:
            return result is not None and result.error is None
        case Action.SKIP if change.deletion:
            return True
        case Action.SKIP | Action.REFUSE if not change.deletion:
            return entry.intended and not _ours(change, app)
    return False


def _ours(change: Change, app: ObjectRef) -> bool:
    """An object may be only *intended* and ours all the same: written by a run that died before it could say so."""
    return change.live is not None and change.live.owner == Ours(app=app)


def decided(old: Inventory, decision: Decision) -> Inventory:
    """With one more decision of a person among those that the history shows."""
    return replace(old, decisions=(*old.decisions[1 - _DECISIONS :], decision))


def spent(written: Inventory, plan: Plan) -> Inventory:
    """Without the approvals of this plan, once all that it deletes has left the record: each is good for one time."""
    if any(change.deletion and change.id in written.owned for change in plan.changes):
        return written
    return replace(written, approvals=tuple(a for a in written.approvals if a.plan != plan.digest))


def merged(ours: Inventory, theirs: Inventory | None) -> Inventory:
    """What to write when the record changed since it was read: both sides' objects, the newer token, their decisions."""
    if theirs is None:
        return replace(ours, token="")
    both = {
        id: replace(owned, intended=owned.intended and (id not in theirs.owned or theirs.owned[id].intended))
        for id, owned in ours.owned.items()
    }
    return replace(theirs, owned={**theirs.owned, **both})


def same(one: Inventory, other: Inventory) -> bool:
    """True when writing one over the other would change nothing."""
    return replace(one, token="", cluster_uid="") == replace(other, token="", cluster_uid="")

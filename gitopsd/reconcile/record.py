"""The app's record in the cluster, read once and then kept in step: grow before writing, shrink after, merge on conflict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gitopsd.model.errors import Conflict
from gitopsd.model.identity import ObjectRef
from gitopsd.model.inventory import Inventory
from gitopsd.plugin.roles import Target
from gitopsd.reconcile import children, inventory
from gitopsd.reconcile.world import World

TRIES = 5
SHOWN = 3
"""Objects that a message names."""


async def read(app: ObjectRef, target: Target, world: World) -> Inventory:
    """The app's record in this very cluster. A record of another cluster behind the same name counts as none."""
    known = world.board.inventories.get(app)
    if known is None and target.uid in world.board.listed:
        return inventory.at_first(app, target.uid)  # were it wrong, writing would meet a 409, read and merge
    if known is None or known.cluster_uid != target.uid:
        known = await _there(app, target)
    return known or inventory.at_first(app, target.uid)


async def _there(app: ObjectRef, target: Target) -> Inventory | None:
    """What the cluster has; of another cluster's record only the token, so that it can be written over."""
    found = await target.inventory(app)
    if found is None or found.cluster_uid == target.uid:
        return found
    return replace(inventory.at_first(app, target.uid), token=found.token)


async def written(old: Inventory, change: Callable[[Inventory], Inventory], target: Target, world: World) -> Inventory:
    """Write what `change` makes of the record; skipped when nothing changes. Re-reads, merges and tries again on 409."""
    wanted = change(old)
    for _ in range(TRIES):
        if inventory.same(wanted, old):
            return _current(wanted, world)
        try:
            return _kept(await target.remember(wanted), world)
        except Conflict:
            theirs = await _there(old.app, target)
            old = theirs if theirs is not None else inventory.at_first(old.app, target.uid)
            wanted = change(inventory.merged(wanted, theirs))
    raise Conflict(f"{old.app}: its inventory keeps changing under our hands; is another gitopsd at work here?")


def _current(record: Inventory, world: World) -> Inventory:
    """The record that counts where nothing was written: somebody may have written a newer one in the meantime."""
    newest = world.board.inventories.get(record.app)
    return newest if newest and newest.cluster_uid == record.cluster_uid else _kept(record, world)


def _kept(record: Inventory, world: World) -> Inventory:
    world.board.inventories[record.app] = record
    world.board.records.setdefault(record.app, {})[record.cluster_uid] = record
    return record


def left_behind(app: ObjectRef, cluster_uid: str, world: World) -> tuple[str, ...]:
    """What is said of objects that the app applied to other clusters, before it went where it is now."""
    others = [it for uid, it in sorted(world.board.records.get(app, {}).items()) if uid != cluster_uid]
    return tuple(said for record in others if (said := _left(record, world)))


def _left(record: Inventory, world: World) -> str:
    owned = sorted(id for id in record.owned if not children.is_declared(id, world.registry))
    if not owned:
        return ""
    names = ", ".join(map(str, owned[:SHOWN])) + (", ..." if len(owned) > SHOWN else "")
    cluster = world.board.names.get(record.cluster_uid, record.cluster_uid)
    return (
        f"{len(owned)} objects that it applied to the cluster {cluster} are left there: {names}; nobody looks after them: "
        "delete them by hand, or name that cluster again"
    )

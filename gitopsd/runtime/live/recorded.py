"""What a cluster that was just reached has on record of the apps, taken onto the board before they look at it."""

from __future__ import annotations

from collections.abc import Callable, Collection

from gitopsd.model.identity import ObjectRef
from gitopsd.model.inventory import Inventory
from gitopsd.plugin.roles import Target
from gitopsd.reconcile import children
from gitopsd.reconcile.world import World
from gitopsd.runtime.live.watches import Watches


def take_over(
    found: Collection[Inventory],
    target: Target,
    world: World,
    watches: Watches | None,
    route: Callable[[ObjectRef], str],
) -> None:
    """The records of this cluster itself, in the order given; `route` names the way by which an app reaches it.

    Until an app has rendered, it claims what it has on record. A child is not declared yet: its parent's record speaks for it.
    """
    registry, board = world.registry, world.board
    rendered = {children.ref(id) for i in found for id in i.owned if children.is_declared(id, registry)}
    for inventory in (i for i in found if i.cluster_uid == target.uid):
        app = inventory.app
        board.inventories[app] = inventory
        board.records.setdefault(app, {})[target.uid] = inventory
        declared = {id for id in inventory.owned if children.is_declared(id, registry)}
        if watches:
            watches.track(app, route(app), [id for id in inventory.owned if id not in declared])
        if (app in board.intents or app in rendered) and app not in board.renders:
            world.claims.want(app, target.uid, inventory.owned.keys() - declared, declared)
            world.claims.take(app)

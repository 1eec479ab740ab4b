"""What apps declared in their last render, before they have rendered again: the records say which children there are, the store
says what they were.

So a child that vanishes while no process runs ends by its own deletion rules, as it would under a running one; unknown, it
could only be kept as an orphan.
"""

from __future__ import annotations

from collections.abc import Iterable

from gitopsd.config import home
from gitopsd.config.declared_set import DeclaredSet
from gitopsd.model.declared import AppIntent
from gitopsd.model.identity import ObjectRef
from gitopsd.model.inventory import Inventory
from gitopsd.reconcile import children as declared_objects
from gitopsd.reconcile.world import World
from gitopsd.runtime.family import Family


def children(found: Iterable[Inventory], family: Family, world: World, files: DeclaredSet) -> None:
    """Remember the children of every recorded app, over any number of steps."""
    records = {inventory.app: inventory for inventory in found}
    todo = [app for app in records if app in world.board.intents]
    while todo:
        known = unknown(records[todo[-1]], world)
        parent = world.board.intents.get(todo.pop())
        if not known or not isinstance(parent, AppIntent):
            continue
        last = home.children(
            family.kept(parent.ref),
            parent=parent.ref,
            known=files.objects,
            registry=world.registry,
            settings=files.settings,
        )
        new = {ref: last.intents[ref] for ref in known & last.intents.keys()}
        family.remember(last.objects, new)
        todo.extend(ref for ref in new if ref in records)


def unknown(record: Inventory, world: World) -> frozenset[ObjectRef]:
    """Children in an app's record of which nothing else is known."""
    registry, intents = world.registry, world.board.intents
    ours = (declared_objects.ref(id) for id in record.owned if declared_objects.is_declared(id, registry))
    return frozenset(ref for ref in ours if ref not in intents)

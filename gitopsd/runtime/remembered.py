"""What apps declared in their last render, before they have rendered again: the records say which children there are, the store
says what they were.

So a child that vanishes while no process runs ends by its own deletion rules, as it would under a running one; unknown, it
could only be kept as an orphan.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gitopsd.config import home
from gitopsd.model.declared import AppIntent
from gitopsd.model.identity import ObjectRef
from gitopsd.model.inventory import Inventory
from gitopsd.reconcile import children as declared_objects
from gitopsd.reconcile import render

if TYPE_CHECKING:
    from gitopsd.runtime.engine import Engine


async def children(found: Iterable[Inventory], engine: Engine) -> None:
    """Remember the children of every recorded app, over any number of steps."""
    records = {inventory.app: inventory for inventory in found}
    todo = [app for app in records if app in engine.board.intents]
    while todo:
        known = unknown(records[todo[-1]], engine)
        parent = engine.board.intents.get(todo.pop())
        if not known or not isinstance(parent, AppIntent):
            continue
        bodies = [manifest.body for manifest in await render.remembered(parent, engine.world)]
        last = home.children(
            bodies,
            parent=parent.ref,
            known=engine.files.objects,
            registry=engine.parts.registry,
            settings=engine.files.settings,
        )
        new = {ref: last.intents[ref] for ref in known & last.intents.keys()}
        engine.remember(last.objects, new)
        todo.extend(ref for ref in new if ref in records)


def unknown(record: Inventory, engine: Engine) -> frozenset[ObjectRef]:
    """Children in an app's record of which nothing else is known."""
    registry, intents = engine.parts.registry, engine.board.intents
    ours = (declared_objects.ref(id) for id in record.owned if declared_objects.is_declared(id, registry))
    return frozenset(ref for ref in ours if ref not in intents)

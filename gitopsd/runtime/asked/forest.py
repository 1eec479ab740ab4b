"""Declared objects as trees: what each declared and what it applied, with the health of now."""

from __future__ import annotations

from collections.abc import Iterable

from gitopsd.model.declared import AppIntent
from gitopsd.model.identity import ObjectRef
from gitopsd.reconcile import children, look
from gitopsd.runtime.asked import last
from gitopsd.runtime.engine import Engine
from gitopsd.runtime.shown import views
from gitopsd.runtime.shown.view import Branch, Leaf

DEPTH = 20
"""Levels of declared objects within declared objects that a tree shows."""


async def grown(engine: Engine, refs: Iterable[ObjectRef] = ()) -> tuple[Branch, ...]:
    """The trees of these objects; of all top-level objects when none is named."""
    roots = tuple(refs) or tuple(v.ref for v in engine.views() if v.parent is None)
    return tuple([await _branch(engine, ref, depth=0) for ref in roots])


async def _branch(engine: Engine, ref: ObjectRef, depth: int) -> Branch:
    below = engine.children(ref) if depth < DEPTH else ()
    return Branch(
        view=last.view(engine, ref),
        leaves=await _leaves(engine, ref),
        branches=tuple([await _branch(engine, child, depth + 1) for child in below]),
    )


async def _leaves(engine: Engine, ref: ObjectRef) -> tuple[Leaf, ...]:
    registry, inventory = engine.world.registry, engine.board.inventories.get(ref)
    owned = [o for o in inventory.owned.values() if not children.is_declared(o.id, registry)] if inventory else []
    if not owned:
        return ()
    intent = engine.board.intents.get(ref)
    app = intent if isinstance(intent, AppIntent) else None
    target = await (engine.world.target(app) if app else engine.clusters.target(None))
    seen = await look.at([(o.id, o.version) for o in owned], target)
    return tuple(views.leaf(id, seen, registry) for id in sorted(o.id for o in owned))

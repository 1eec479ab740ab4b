"""How an object was left: by this process, or by the one before it where this one writes nothing."""

from __future__ import annotations

from dataclasses import replace

from gitopsd.model.identity import ObjectRef
from gitopsd.runtime.engine import Engine
from gitopsd.runtime.shown import views
from gitopsd.runtime.shown.view import View


def view(engine: Engine, ref: ObjectRef) -> View:
    """One object as the last run left it; where this one writes nothing, what it came to is no news of the object."""
    declared, intent = engine.board.declared.get(ref), engine.board.intents.get(ref)
    now = engine.view(ref)
    if engine.parts.persist or declared is None or intent is None:
        return now
    stored = views.stored(declared, intent, engine.parts.store.status(ref) or {})
    return replace(stored, suspended=now.suspended, cluster=now.cluster, due=now.due)

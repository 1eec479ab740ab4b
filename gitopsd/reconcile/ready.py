"""Asks the expressions that say when a dependency counts as ready (Flux's `readyExpr`), with the objects as Flux shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitopsd.model.declared import AppIntent
from gitopsd.model.identity import ObjectRef
from gitopsd.plugin import cel
from gitopsd.plugin.cel import Question
from gitopsd.reconcile.world import World


async def said(app: AppIntent, world: World) -> Mapping[ObjectRef, str]:
    """What each dependency with an expression lacks, '' where it is true. Those that are not declared are not asked."""
    intents = world.board.intents
    asked = {ref: text for ref, text in app.ready_expressions.items() if ref in intents}
    if not asked:
        return {}
    me = _object(app.ref, world)
    questions = [
        Question(expressions=(text,), variables={"self": me, "dep": _object(ref, world)}, strict=True)
        for ref, text in asked.items()
    ]
    answers = await cel.answers(world.ctx.quick, questions)
    return {ref: _words(answer) for ref, answer in zip(asked, answers, strict=True)}


def _words(answer: cel.Answer) -> str:
    if answer.error:
        return f"is not ready: {answer.error}"
    return "" if answer.first == 0 else "is not ready: its readyExpr is false"


def _object(ref: ObjectRef, world: World) -> dict[str, Any]:
    """The document with the generation and the status that it would have in a cluster."""
    declared = world.board.declared[ref]
    metadata = {**declared.document["metadata"], "generation": declared.generation}
    status = world.statuses.get(ref) or {"observedGeneration": -1}
    return {**declared.document, "metadata": metadata, "status": status}

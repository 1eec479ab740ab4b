"""A command that runs the steps itself, for want of a daemon or because it has to: with an engine for as long as it lasts."""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from typing import TypeVar

import anyio

from gitopsd.cli.progress import Progress
from gitopsd.config import chosen as choice
from gitopsd.config.chosen import Files
from gitopsd.daemon import compose
from gitopsd.daemon.compose import Mode
from gitopsd.model.identity import ObjectRef
from gitopsd.model.masking import Secrets
from gitopsd.runtime import log
from gitopsd.runtime.asked import foreseen, whatif
from gitopsd.runtime.asked.control import Control
from gitopsd.runtime.asked.local_control import LocalControl
from gitopsd.runtime.asked.whatif import Question
from gitopsd.runtime.engine import Engine
from gitopsd.runtime.shown.view import PlanView

T = TypeVar("T")


def mode(*, write: bool = True, watch: bool = True, work: bool = True, actor: str = "gitopsd") -> Mode:
    """How a command runs the steps itself: only warnings are logged, beside what it prints."""
    secrets = Secrets()
    logger = log.make(sys.stderr, json=False, secrets=secrets, level=logging.WARNING)
    return Mode(write=write, watch=watch, work=work, actor=actor, log=logger, secrets=secrets)


async def planned(files: Files, question: Question) -> PlanView:
    """Plan, and show on a terminal how it goes on; nothing is written."""
    shown, moving = Progress(), sys.stderr.isatty()

    async def with_engine(engine: Engine) -> PlanView:
        with shown.moving():
            found = await whatif.asked(engine, question, foreseen.view, shown.note if moving else None)
        clusters = tuple(replace(cluster, offline=files.chosen.offline) for cluster in found.clusters)
        return replace(found, clusters=clusters)

    looking = mode(write=False, watch=False, work=False)
    return await compose.engaged(choice.understood(files), looking, with_engine, on_outcome=lambda _: None)


async def once(files: Files, body: Callable[[Control, bool], Awaitable[T]], *, limit: float, write: bool) -> T:
    """Look at everything once, for so many seconds at most, then run `body`, which hears whether that was too short."""
    shown = Progress()

    async def with_engine(engine: Engine) -> T:
        with anyio.move_on_after(limit) as late, shown.moving():
            await engine.once()
        return await body(LocalControl(engine), late.cancelled_caught)

    acting = mode(write=write, watch=False)
    return await compose.engaged(choice.understood(files), acting, with_engine, on_outcome=shown.note)


async def asked(
    files: Files,
    body: Callable[[Control], Awaitable[T]],
    *,
    names: Sequence[str],
    recalled: bool,
    write: bool,
    actor: str,
) -> T:
    """Run `body` with an engine that looks only at what it is asked about.

    Unless something of `names` (or of all, when nothing is named) is known only after its parent was rendered: then everything
    is looked at once. `recalled`: for children, what the last run knew of them will do.
    """
    loaded, shown = choice.understood(files), Progress()

    async def with_engine(engine: Engine) -> T:
        with shown.moving():
            await engine.reached()
            if not _all_declared(names, engine, engine.board.intents if recalled else engine.files.objects):
                engine.declare(loaded.declared)
                await engine.once()
        return await body(LocalControl(engine))

    acting = mode(write=write, watch=False, work=False, actor=actor)
    return await compose.engaged(loaded, acting, with_engine, on_outcome=shown.note)


def _all_declared(names: Sequence[str], engine: Engine, declared: Collection[ObjectRef]) -> bool:
    """True when all that is named, or else everything that is recorded in the clusters, is declared."""
    every = [view.ref for view in engine.views()]
    named = [ref for name in names for ref in engine.find(name)] if names else every
    return all(ref in declared for ref in named)

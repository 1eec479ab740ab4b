"""What would happen: the steps of a reconcile over everything that is declared, with other content in the place of a source's,
in an engine of its own that writes nothing and leaves no trace.

It stands beside another engine, whose connections, records, watches and worker processes it uses. At first it knows the
children of now, so that those that vanish end by their own rules; then it looks at everything, and looks again at what was
refused or held, until nothing moves: an object that moves, or a namespace that another app brings, needs a second look.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import anyio
from anyio.abc import TaskGroup

from gitopsd.model.change import Action, Change
from gitopsd.model.declared import AppIntent, Declared
from gitopsd.model.errors import GitopsdError, Retrying, Stalling, UsageError
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.plugin.roles import Target
from gitopsd.runtime import remembered
from gitopsd.runtime.asked import looking
from gitopsd.runtime.asked.stand_in import Instead, StandIn
from gitopsd.runtime.engine import Engine
from gitopsd.runtime.live.clusters import Connect, Route
from gitopsd.runtime.schedule.wake import Reason
from gitopsd.runtime.shown import views
from gitopsd.store.aside import Aside

T = TypeVar("T")
ROUNDS = 6
"""Looks at most; each brings at least one more app to its end, and chains of moves and namespaces are short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: which apps (none: all), and `[SOURCE=]REVISION` or `[SOURCE=]FOLDER` in the place of a source's content."""

    names: tuple[str, ...] = ()
    revisions: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    here: Path = Path("/")
    """Where relative folders are meant from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """An engine at its end, and what it began with."""

    engine: Engine
    instead: Instead
    named: frozenset[ObjectRef]
    children: Mapping[ObjectRef, Declared] = field(default_factory=dict, repr=False)
    """The children of now."""


async def asked(
    host: Engine, question: Question, read: Callable[[Settled], T], on_outcome: Callable[[Outcome], None] | None = None
) -> T:
    """What `read` makes of the answer; `on_outcome` hears how it comes. Raises `UsageError` for names that mean nothing or too much, and what connecting met."""
    ended: list[T | GitopsdError] = []
    async with anyio.create_task_group() as tasks:
        stand_ins: list[StandIn] = []
        engine = _engine(tasks, host, stand_ins, on_outcome or (lambda outcome: _traced(outcome, host)))
        try:
            ended.append(read(await _settled(engine, host, question, stand_ins)))
        except GitopsdError as error:  # it leaves the task group as a value, not in a group of errors
            ended.append(error)
        finally:
            with anyio.CancelScope(shield=True):
                await engine.stop()
        tasks.cancel_scope.cancel()
    if isinstance(ended[0], GitopsdError):
        raise ended[0]
    return ended[0]


def _traced(outcome: Outcome, host: Engine) -> None:
    if outcome.trace:
        host.parts.ctx.log.error(outcome.message, object=str(outcome.ref), trace=outcome.trace)


def _engine(tasks: TaskGroup, host: Engine, stand_ins: list[StandIn], on_outcome: Callable[[Outcome], None]) -> Engine:
    parts = host.parts
    stand_ins.extend(StandIn(source, parts.store) for source in parts.registry.sources.values())
    made: list[Engine] = []
    made.append(
        Engine(
            tasks,
            replace(
                parts,
                store=Aside(parts.store),
                registry=replace(parts.registry, sources={stand_in.kind: stand_in for stand_in in stand_ins}),
                safety=replace(parts.safety, read_only=True),
                watches=None,
                lookups=None,
                connect=_through(host, lambda: made[0]),
                on_outcome=on_outcome,
                resume=False,
                persist=False,
            ),
        )
    )
    return made[0]


def _through(host: Engine, engine: Callable[[], Engine]) -> Connect:
    """The connections of the host, with the records that it knows."""

    async def connect(route: Route, serve: Callable[[Target], Awaitable[None]]) -> None:
        target = looking.only(await host.clusters.at(route))
        if not route.user:
            records = [record for record in host.board.inventories.values() if record.cluster_uid == target.uid]
            await engine().loaded(target, records)
            engine().board.listed.add(target.uid)
        await serve(target)

    return connect


async def _settled(engine: Engine, host: Engine, question: Question, stand_ins: Sequence[StandIn]) -> Settled:
    board = engine.board
    engine.declare(host.files, work=False)
    await _reached(engine)
    board.removals |= host.board.removals & board.intents.keys()
    engine.family.remember({r: d for r, d in host.board.declared.items() if d.parent}, host.board.intents)
    instead = _instead(engine, question)
    if instead.sources:
        await _know_children(engine)
    children = {ref: declared for ref, declared in board.declared.items() if declared.parent}
    for source in instead.sources:
        engine.parts.store.forget(source)  # what stands in for it, or nothing: never what it had before
        board.artifacts.pop(source, None)
    for stand_in in stand_ins:
        stand_in.begin(instead)
    board.despite |= _found(question.names, engine)
    engine.declare(host.files)
    await _looked(engine, instead.sources)
    named = frozenset(ref for name in question.names for ref in engine.find(name))
    board.despite |= named
    await _looked(engine, [ref for ref in named if _phase(board.outcomes.get(ref)) is Phase.SUSPENDED])
    return Settled(engine=engine, instead=instead, named=named, children=children)


async def _reached(engine: Engine) -> None:
    """Know what is recorded in every cluster that can be had; of one that cannot, each of its apps says so."""
    for name in engine.files.clusters:
        try:
            await engine.clusters.target(name)
        except (Retrying, Stalling) as error:
            engine.parts.ctx.log.warning("the cluster cannot be planned", cluster=name, problem=str(error))


async def _know_children(engine: Engine) -> None:
    """Render, at the declared revision, the parents whose children are recorded and not known; over any number of steps."""
    seen: set[ObjectRef] = set()
    while parents := _with_unknown_children(engine) - seen:
        seen |= parents
        for parent in parents:
            engine.look_after(parent)
        await engine.once(parents)


def _with_unknown_children(engine: Engine) -> set[ObjectRef]:
    return {
        ref
        for ref, record in engine.board.inventories.items()
        if isinstance(engine.board.intents.get(ref), AppIntent) and remembered.unknown(record, engine.world)
    }


async def _looked(engine: Engine, first: Collection[ObjectRef]) -> None:
    """Look at these, and again at what was refused or held, until another look changes nothing."""
    again: Iterable[ObjectRef] = first
    before: object = None
    for _ in range(ROUNDS):
        for ref in again:
            engine.scheduler.wake(ref, Reason.REQUEST)
        outcomes = await engine.once()
        again = [ref for ref, outcome in outcomes.items() if _is_open(outcome)]
        now = {ref: _said(outcomes[ref]) for ref in again}
        if not again or now == before:
            return
        before = now


def _is_open(outcome: Outcome) -> bool:
    if outcome.phase is Phase.SUSPENDED:
        return False
    changes = outcome.plan.changes if outcome.plan else ()
    return outcome.phase is not Phase.READY or any(map(_hangs_on_others, changes))


def _hangs_on_others(change: Change) -> bool:
    """What waits, or is let go as another app takes it over: that one may turn out to end by the same revision."""
    return change.action in {Action.HOLD, Action.REFUSE} or (change.deletion and change.action is Action.SKIP)


def _said(outcome: Outcome) -> object:
    changes = outcome.plan.changes if outcome.plan else ()
    return outcome.phase, outcome.message, [(c.id, c.action, c.reason) for c in changes]


def _phase(outcome: Outcome | None) -> Phase | None:
    return outcome.phase if outcome else None


def _found(names: Iterable[str], engine: Engine) -> frozenset[ObjectRef]:
    """Those of the names that are known already; a child may be known only when its parent was rendered."""
    refs = [view.ref for view in engine.views()]
    return frozenset(ref for name in names for ref in refs if name in views.names(ref, engine.parts.registry))


def _instead(engine: Engine, question: Question) -> Instead:
    revisions = dict(_stands_for(text, "--revision", engine, question) for text in question.revisions)
    folders = dict(_stands_for(text, "--path", engine, question) for text in question.folders)
    if len(revisions) + len(folders) < len(question.revisions) + len(question.folders) or revisions.keys() & folders:
        raise UsageError("two revisions or folders stand in for the same source; name one for each")
    return Instead(revisions=revisions, folders={ref: question.here / folder for ref, folder in folders.items()})


def _stands_for(text: str, option: str, engine: Engine, question: Question) -> tuple[ObjectRef, str]:
    """`SOURCE=TEXT`, or the text alone where only one source can be meant."""
    sources = _sources(engine)
    name, sign, rest = text.partition("=")
    meant = [ref for ref in sources if sign and name in views.names(ref, engine.parts.registry)]
    if len(meant) == 1:
        return meant[0], rest
    apps = _found(question.names, engine) or engine.board.intents.keys()
    read = {i.source for ref in apps if isinstance(i := engine.board.intents[ref], AppIntent)} & set(sources)
    if len(read) == 1:
        return read.pop(), text
    known = ", ".join(map(str, sorted(read or sources))) or "none is declared"
    raise UsageError(
        f"{option} {text}: which source does it stand in for? Write {option} SOURCE={text} (sources: {known})"
    )


def _sources(engine: Engine) -> Sequence[ObjectRef]:
    return [ref for ref in engine.board.intents if engine.board.source(ref) is not None]

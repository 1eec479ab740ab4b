"""The daemon's control socket as a `Control`, and the choice between it and running the steps here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from gitopsd.cli.progress import Progress
from gitopsd.config import chosen as choice
from gitopsd.config.chosen import Chosen, Loaded
from gitopsd.daemon import compose
from gitopsd.daemon.compose import Mode
from gitopsd.model import errors
from gitopsd.model.errors import GitopsdError, Transient, UsageError
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import LedgerRow
from gitopsd.runtime.asked import foreseen, whatif
from gitopsd.runtime.asked.control import Control, LocalControl
from gitopsd.runtime.asked.whatif import Question
from gitopsd.runtime.engine import Engine
from gitopsd.runtime.shown.view import (
    Branch,
    ClusterView,
    Happening,
    Link,
    LogLine,
    PlanView,
    Report,
    Stats,
    TraceStep,
    View,
)
from gitopsd.web.calls import Ask, Asked, Fault, Named

T = TypeVar("T")


class SocketControl:
    """Asks a running daemon."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def clusters(self) -> Sequence[ClusterView]:
        """The declared clusters."""
        return await self._call("clusters", Named(), list[ClusterView])

    async def views(self, names: Sequence[str] = ()) -> Sequence[View]:
        """The named objects; all when none is named."""
        return await self._call("views", Named(names=tuple(names)), list[View])

    async def tree(self, names: Sequence[str] = ()) -> Sequence[Branch]:
        """The named objects, or all top-level ones, as trees."""
        return await self._call("tree", Named(names=tuple(names)), list[Branch])

    async def reconcile(self, name: str, token: str) -> Sequence[Report]:
        """Have the objects of this name looked at now."""
        return await self._call("reconcile", Ask(name=name, token=token), list[Report])

    async def plan(self, names: Sequence[str] = ()) -> PlanView:
        """Have these planned, or all."""
        return await self._call("plan", Named(names=tuple(names)), PlanView)

    async def approve(
        self, name: str, actor: str, reason: str, plan: str, until: datetime | None = None
    ) -> Sequence[View]:
        """Approve the deletions that wait."""
        asked = Ask(name=name, actor=actor, reason=reason, plan=plan, until=until)
        return await self._call("approve", asked, list[View])

    async def suspend(self, name: str, actor: str, reason: str, until: datetime | None) -> Sequence[View]:
        """Leave these apps alone."""
        return await self._call("suspend", Ask(name=name, actor=actor, reason=reason, until=until), list[View])

    async def resume(
        self, name: str, actor: str = "", reason: str = "", until: datetime | None = None
    ) -> Sequence[View]:
        """End a suspension."""
        return await self._call("resume", Ask(name=name, actor=actor, reason=reason, until=until), list[View])

    async def delete(
        self, name: str, token: str, actor: str = "", reason: str = "", until: datetime | None = None
    ) -> Sequence[Report]:
        """Delete apps."""
        asked = Ask(name=name, token=token, actor=actor, reason=reason, until=until)
        return await self._call("delete", asked, list[Report])

    async def why(self, name: str) -> Sequence[Sequence[Link]]:
        """What these objects wait for."""
        return await self._call("why", Ask(name=name), list[list[Link]])

    async def trace(self, name: str) -> Sequence[TraceStep]:
        """Where an object comes from."""
        return await self._call("trace", Ask(name=name), list[TraceStep])

    async def history(self, names: Sequence[str], limit: int) -> Sequence[LedgerRow]:
        """Rows of the ledger."""
        return await self._call("history", Asked(names=tuple(names), limit=limit), list[LedgerRow])

    async def events(self, names: Sequence[str], after: int, patience: float) -> Sequence[Happening]:
        """What happened."""
        asked = Asked(names=tuple(names), after=after, patience=patience)
        return await self._call("events", asked, list[Happening])

    async def logs(self, name: str, after: int) -> Sequence[LogLine]:
        """Lines of the log."""
        return await self._call("logs", Asked(names=(name,), after=after), list[LogLine])

    async def stats(self) -> Stats:
        """The daemon in numbers."""
        return await self._call("stats", Named(), Stats)

    async def _call(self, verb: str, body: Any, kind: type[T]) -> T:
        import aiohttp  # 0.2 s that a verb without a daemon never needs

        connector = aiohttp.UnixConnector(str(self._path))
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.post(f"http://gitopsd/v1/{verb}", data=msgspec.json.encode(body)) as response,
            ):
                answer = await response.read()
        except aiohttp.ClientError as error:
            raise Transient(f"the daemon at {self._path} does not answer: {error}") from error
        if response.status == 200:
            return msgspec.json.decode(answer, type=kind)
        raise _raised(msgspec.json.decode(answer, type=Fault))


def _raised(fault: Fault) -> GitopsdError:
    kind = getattr(errors, fault.kind, GitopsdError)
    known = isinstance(kind, type) and issubclass(kind, GitopsdError)
    return (kind if known else GitopsdError)(fault.message, reason=fault.reason or None)


async def running(loaded: Loaded) -> SocketControl | None:
    """The daemon that serves this configuration's socket; None when there is none."""
    if not loaded.socket.exists():
        return None
    control = SocketControl(loaded.socket)
    try:
        await control.clusters()
    except Transient:
        return None
    return control


async def daemon(chosen: Chosen) -> SocketControl | None:
    """The running daemon; None when there is none. Raises `UsageError` where another cluster than its own was named."""
    return await _own_daemon(chosen, choice.load(chosen))


async def _own_daemon(chosen: Chosen, loaded: Loaded) -> SocketControl | None:
    found = await running(loaded)
    if found is not None and (chosen.sandbox or chosen.context):
        raise UsageError(
            f"a daemon runs on {loaded.socket} with its own clusters; stop it to name another cluster here"
        )
    return found


async def planned(chosen: Chosen, mode: Mode, question: Question, *, moving: bool) -> PlanView:
    """Plan by an engine of our own; `moving` shows how it goes on."""
    loaded = choice.load(chosen)
    shown = Progress()

    async def with_engine(engine: Engine) -> PlanView:
        with shown.moving():
            found = await whatif.asked(engine, question, foreseen.view, shown.note if moving else None)
        clusters = tuple(replace(cluster, offline=chosen.offline) for cluster in found.clusters)
        return replace(found, clusters=clusters)

    return await compose.engaged(loaded, replace(mode, work=False), with_engine, on_outcome=lambda _: None)


async def asked(
    chosen: Chosen,
    mode: Mode,
    body: Callable[[Control], Awaitable[T]],
    *,
    names: Sequence[str] = (),
    recalled: bool = False,
) -> T:
    """Run `body` with the daemon, or with an engine of our own.

    Our own looks only at what it is asked about, unless something of `names` (or of all, when nothing is named) is known only
    after its parent was rendered. `recalled`: for children, what the last run knew of them will do.
    """
    loaded = choice.load(chosen)
    daemon_control = await _own_daemon(chosen, loaded)
    if daemon_control is not None:
        return await body(daemon_control)

    shown = Progress()

    async def with_engine(engine: Engine) -> T:
        with shown.moving():
            await engine.reached()
            if not _all_declared(names, engine, engine.board.intents if recalled else engine.files.objects):
                engine.declare(loaded.declared)
                await engine.once()
        return await body(LocalControl(engine))

    return await compose.engaged(loaded, replace(mode, work=False), with_engine, on_outcome=shown.note)


def _all_declared(names: Sequence[str], engine: Engine, declared: Collection[ObjectRef]) -> bool:
    """True when all that is named, or else everything that is recorded in the clusters, is declared."""
    every = [view.ref for view in engine.views()]
    named = [ref for name in names for ref in engine.find(name)] if names else every
    return all(ref in declared for ref in named)

"""The daemon's control socket as a `Control`, and the choice between it and running the steps here.

A command beside a daemon is short, so that nothing here loads an engine, a plugin or an HTTP library.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio
import msgspec

from gitopsd.config import chosen as choice
from gitopsd.config.chosen import Chosen, Files
from gitopsd.model import errors
from gitopsd.model.errors import GitopsdError, Transient, UsageError
from gitopsd.model.outcome import LedgerRow
from gitopsd.runtime.asked.control import Control
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

if TYPE_CHECKING:
    import socket

T = TypeVar("T")
CONNECT = 5.0
"""Seconds that a daemon has to take the connection."""


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
        try:
            status, answer = await self._post(f"/v1/{verb}", msgspec.json.encode(body))
        except (OSError, HTTPException, anyio.BrokenResourceError) as error:
            said = str(error) or type(error).__name__
            raise Transient(f"the daemon at {self._path} does not answer: {said}") from error
        if status == 200:
            return msgspec.json.decode(answer, type=kind)
        raise _raised(msgspec.json.decode(answer, type=Fault))

    async def _post(self, target: str, body: bytes) -> tuple[int, bytes]:
        head = f"POST {target} HTTP/1.1\r\nHost: gitopsd\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        with anyio.fail_after(CONNECT):
            stream = await anyio.connect_unix(self._path)
        async with stream:
            await stream.send(head.encode() + body)
            received = b"".join([part async for part in stream])
        response = HTTPResponse(cast("socket.socket", _Received(received)), method="POST")
        response.begin()
        return response.status, response.read()


class _Received(BytesIO):
    """All that came, as `HTTPResponse` wants to read it: from the file that a socket makes."""

    def makefile(self, mode: str) -> BytesIO:
        """This."""
        return self


def _raised(fault: Fault) -> GitopsdError:
    kind = getattr(errors, fault.kind, GitopsdError)
    known = isinstance(kind, type) and issubclass(kind, GitopsdError)
    return (kind if known else GitopsdError)(fault.message, reason=fault.reason or None)


async def running(files: Files) -> SocketControl | None:
    """The daemon that serves the socket of this configuration; None when there is none."""
    if not files.socket.exists():
        return None
    control = SocketControl(files.socket)
    try:
        await control.clusters()
    except Transient:
        return None
    return control


async def daemon(files: Files) -> SocketControl | None:
    """The same. Raises `UsageError` where another cluster than the daemon's own was named."""
    found = await running(files)
    if found is not None and (files.chosen.sandbox or files.chosen.context):
        raise UsageError(f"a daemon runs on {files.socket} with its own clusters; stop it to name another cluster here")
    return found


async def asked(
    chosen: Chosen,
    body: Callable[[Control], Awaitable[T]],
    *,
    names: Sequence[str] = (),
    recalled: bool = False,
    write: bool = True,
    actor: str = "gitopsd",
) -> T:
    """Run `body` with the daemon, or with an engine of our own: `own_engine.asked` says what the rest means for it."""
    files = choice.read(chosen)
    control = await daemon(files)
    if control is not None:
        return await body(control)
    from gitopsd.cli import own_engine  # 0.3 s that nobody waits for beside a daemon

    return await own_engine.asked(files, body, names=names, recalled=recalled, write=write, actor=actor)

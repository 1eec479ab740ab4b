"""The control socket: HTTP over a unix socket, for the command line on the same machine.

Who may open the socket may do everything: the file's mode (0600) is the authentication. Bodies are limited and decoded
into structs before anything is done; errors of the gitopsd tree travel as values. The only route without a body, and the
only one that tells nothing, is `/healthz`.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from gitopsd.model.errors import GitopsdError, UsageError
from gitopsd.runtime.asked.control import Control
from gitopsd.runtime.shown.view import LogLine
from gitopsd.web.calls import Ask, Asked, Fault, Named

MAX_BODY = 64 * 1024
MODE = 0o600

Answer = Callable[[Any], Awaitable[Any]]


class ControlSocket:
    """Serves a `Control` at a path, between `start` and `stop`. A socket file that nobody listens on is replaced."""

    def __init__(self, control: Control, path: Path) -> None:
        self._path = path
        self._runner = web.AppRunner(_application(control), access_log=None, handle_signals=False)

    async def start(self) -> None:
        """Begin to listen. Raises `UsageError` where the folder cannot be used."""
        await self._runner.setup()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with suppress(FileNotFoundError):
                self._path.unlink()
            before = os.umask(0o177)
            try:
                await web.UnixSite(self._runner, str(self._path)).start()
            finally:
                os.umask(before)
        except OSError as error:
            raise UsageError(f"the control socket {self._path} cannot be made: {error.strerror}") from error

    async def stop(self) -> None:
        """End all calls and remove the file."""
        await self._runner.cleanup()
        with suppress(FileNotFoundError):
            self._path.unlink()


def _application(control: Control) -> web.Application:
    application = web.Application(client_max_size=MAX_BODY)
    application.router.add_get("/healthz", _healthy)
    routes: dict[str, tuple[type[Any], Answer]] = {
        "clusters": (Named, lambda _: control.clusters()),
        "views": (Named, lambda call: control.views(call.names)),
        "tree": (Named, lambda call: control.tree(call.names)),
        "reconcile": (Ask, lambda call: control.reconcile(call.name, call.token)),
        "plan": (Named, lambda call: control.plan(call.names)),
        "approve": (Ask, lambda call: control.approve(call.name, call.actor, call.reason, call.plan, call.until)),
        "suspend": (Ask, lambda call: control.suspend(call.name, call.actor, call.reason, call.until)),
        "resume": (Ask, lambda call: control.resume(call.name, call.actor, call.reason, call.until)),
        "delete": (Ask, lambda call: control.delete(call.name, call.token, call.actor, call.reason, call.until)),
        "why": (Ask, lambda call: control.why(call.name)),
        "trace": (Ask, lambda call: control.trace(call.name)),
        "history": (Asked, lambda call: control.history(call.names, call.limit)),
        "events": (Asked, lambda call: control.events(call.names, call.after, call.patience)),
        "logs": (Asked, lambda call: _logs(control, call)),
        "stats": (Named, lambda _: control.stats()),
    }
    for name, (body, answer) in routes.items():
        application.router.add_post(f"/v1/{name}", _handler(body, answer))
    return application


async def _logs(control: Control, call: Asked) -> Sequence[LogLine]:
    """Lines about all objects that are named, in the order in which they were written."""
    found = [line for name in call.names for line in await control.logs(name, call.after)]
    return sorted(found, key=lambda line: line.number)


async def _healthy(_: web.Request) -> web.Response:
    return web.Response(text="ok")


def _handler(body: type[Any], answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
    decoder = msgspec.json.Decoder(body)

    async def handle(request: web.Request) -> web.Response:
        try:
            return _json(200, await answer(decoder.decode(await request.read())))
        except msgspec.DecodeError as error:
            return _json(400, Fault(kind=UsageError.__name__, message=f"the request does not decode: {error}"))
        except GitopsdError as error:
            return _json(422, Fault(kind=type(error).__name__, message=str(error), reason=error.reason))

    return handle


def _json(status: int, value: Any) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")

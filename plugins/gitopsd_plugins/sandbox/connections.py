"""HTTP below the server: connections, requests as they come in, answers as they go out, with TLS or without.

uvicorn speaks HTTP, since it is loaded in a sixth of the time that aiohttp takes [measured]. Nothing here knows Kubernetes: what an
answer is, is up to whoever listens.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from email.utils import formatdate
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from msgspec import Struct
from multidict import CIMultiDict
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

MAX_HEAD = 1 << 20
"""Bytes before a body."""
_OVERRUN = 16 << 20
"""Bytes that are read of a body over its limit, and thrown away, so that its sender listens to the answer."""
_IDLE = 3600
"""Seconds after which a connection without requests is closed."""
_LEAVING = 1.0
"""Seconds that answers may take which are on their way at the end."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Headers = Sequence[tuple[str, str]]
_Message = Mapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]


class Incoming(Struct, frozen=True, kw_only=True):
    """A request. `certificate` is the client's, as the standard library gives it, where he showed one."""

    method: str
    path: str
    query: Mapping[str, str]
    """What was said first of each name."""
    headers: CIMultiDict[str]
    certificate: Mapping[str, Any] | None


class Exchange:
    """One request and the way to answer it: at once, or by parts."""

    def __init__(self, incoming: Incoming, transport: asyncio.Transport, receive: _Receive, send: _Send) -> None:
        self.incoming = incoming
        self._transport = transport
        self._receive = receive
        self._send = send

    async def body(self, limit: int) -> bytes | None:
        """What was sent with the request; None where that is longer than `limit` bytes. Raises ConnectionResetError."""
        parts: list[bytes] = []
        size, more = 0, True
        while more and size <= _OVERRUN:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ConnectionResetError
            if size <= limit:
                parts.append(message["body"])
            size += len(message["body"])
            more = message["more_body"]
        return b"".join(parts) if size <= limit else None

    async def answer(self, code: int, headers: Headers, body: bytes) -> None:
        """Send all of an answer."""
        await self._begin(code, [*headers, ("Content-Length", str(len(body)))])
        await self._send({"type": "http.response.body", "body": body})

    async def stream(self, headers: Headers, parts: AsyncIterator[bytes]) -> None:
        """Send an answer part by part, until there are no more or the client is gone."""

        async def send() -> None:
            await self._begin(200, headers)
            async for part in parts:
                await self._send({"type": "http.response.body", "body": part, "more_body": True})
            await self._send({"type": "http.response.body"})

        await self._while_there(send())

    async def hold(self, seconds: float) -> None:
        """Leave the client without an answer for so long. Raises ConnectionResetError when he does not wait."""
        if not await self._while_there(asyncio.sleep(seconds)):
            raise ConnectionResetError

    async def hang(self) -> None:
        """Never answer."""
        await self._while_there(asyncio.Event().wait())

    async def drop(self) -> None:
        """Close the connection without an answer."""
        self._transport.abort()
        await self._gone()

    async def _begin(self, code: int, headers: Headers) -> None:
        lines = [
            (name.encode("latin-1"), _line(value)) for name, value in (*headers, ("Date", _date(int(time.time()))))
        ]
        await self._send({"type": "http.response.start", "status": code, "headers": lines})

    async def _while_there(self, work: Coroutine[Any, Any, Any]) -> bool:
        """Do something until it is done, or the client is gone: False. What is still sent with the request is lost."""
        task = asyncio.ensure_future(work)
        listening = asyncio.ensure_future(self._gone())
        try:
            await asyncio.wait((task, listening), return_when=asyncio.FIRST_COMPLETED)
        finally:
            task.cancel()
            listening.cancel()
            await asyncio.gather(task, listening, return_exceptions=True)
        if task.cancelled():
            return False
        task.result()
        return True

    async def _gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            """What is still sent has no meaning."""


Handler = Callable[[Exchange], Awaitable[None]]


class _Connection(HttpToolsProtocol):
    """A connection that tells the application of its transport, and takes no heads without an end."""

    _in_head = False
    _read = 0
    """Bytes that came since a head began, with all of the piece in which it did."""

    def data_received(self, data: bytes) -> None:
        self._read = len(data) + (self._read if self._in_head else 0)
        if self._in_head and self._read > MAX_HEAD:
            self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n")
            self.transport.close()
            return
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self.scope["state"]["transport"] = self.transport

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()


@asynccontextmanager
async def listening(
    handler: Handler, host: str, port: int, context: ssl.SSLContext | None
) -> AsyncIterator[tuple[str, int]]:
    """Take requests for as long as the context lasts; address and port are given. Raises OSError."""
    state = ServerState()
    config = Config(
        _application(handler),
        interface="asgi3",
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="error",
        access_log=False,
        timeout_keep_alive=_IDLE,
    )
    config.load()
    loop = asyncio.get_running_loop()

    def connection() -> _Connection:
        return _Connection(config=config, server_state=state, app_state={}, _loop=loop)

    server = await loop.create_server(connection, host, port, ssl=context)
    try:
        address, bound = server.sockets[0].getsockname()[:2]
        yield address, bound
    finally:
        server.close()
        await _leave(state)


async def _leave(state: ServerState) -> None:
    """End all connections: idle ones at once, the others after their answers, or soon."""
    for connection in list(state.connections):
        connection.shutdown()
    if state.tasks:
        await asyncio.wait(list(state.tasks), timeout=_LEAVING)
    for connection in list(state.connections):
        connection.transport.abort()
    if state.tasks:
        await asyncio.wait(list(state.tasks))


def _application(handler: Handler) -> Callable[[Any, Any, Any], Awaitable[None]]:
    async def application(scope: _Message, receive: _Receive, send: _Send) -> None:
        transport: asyncio.Transport = scope["state"]["transport"]
        incoming = Incoming(
            method=scope["method"],
            path=scope["path"],
            query=dict(reversed(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))),
            headers=CIMultiDict((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]),
            certificate=transport.get_extra_info("peercert"),
        )
        with suppress(ConnectionResetError):  # the client is gone
            await handler(Exchange(incoming, transport, receive, send))

    return application


def _line(value: str) -> bytes:
    """A header's value as it may be sent: what comes from a request may hold anything."""
    return _CONTROL.sub(" ", value).encode("utf-8", "replace")


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)

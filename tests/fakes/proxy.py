"""A faulty proxy between gitopsd and an API server: real TCP, real HTTP, faults by rule.

Rules are looked at for each request in their order; the first that matches and is not used up decides. What matches none
passes through, watches line by line.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import aiohttp
import anyio
from aiohttp import web

from gitopsd.plugin.connections import Pool

_TIME = re.compile(
    rb'("(?:creationTimestamp|deletionTimestamp|time|lastTimestamp|lastTransitionTime)":\s*")([0-9TZ:-]{20})'
)
"""What a server sets by its own clock; a lease's times are its holder's."""
_HOP = {"host", "content-length", "transfer-encoding", "connection", "content-encoding", "accept-encoding"}
Upstream = Callable[[], Awaitable[web.Response]]
"""Sends the request on and answers with the whole answer."""
Effect = Callable[[web.Request, Upstream], Awaitable[web.StreamResponse | None]]
"""What happens to a request; None passes it through."""


def status(code: int, *, reason: str = "", message: str = "", retry_after: int | None = None) -> Effect:
    """Answer with a Status of the server's kind, without asking the server."""

    async def effect(_: web.Request, __: Upstream) -> web.StreamResponse:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        body = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}
        return web.json_response(body, status=code, headers=headers)

    return effect


async def reset(request: web.Request, _: Upstream) -> web.StreamResponse:
    """The connection breaks before the server has heard of it."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def reset_after(request: web.Request, upstream: Upstream) -> web.StreamResponse:
    """The server has done it, and nobody hears of that."""
    await upstream()
    return await reset(request, upstream)


async def half(request: web.Request, upstream: Upstream) -> web.StreamResponse:
    """The server has done it; half of its answer comes."""
    answer = await upstream()
    content = answer.body if isinstance(answer.body, bytes) else b""
    response = web.StreamResponse(status=answer.status, headers={"Content-Type": "application/json"})
    response.content_length = len(content)
    await response.prepare(request)
    await response.write(content[: len(content) // 2])
    assert request.transport is not None
    request.transport.abort()
    return response


def slow(seconds: float) -> Effect:
    """The answer takes its time, before its first and before its last byte."""

    async def effect(request: web.Request, upstream: Upstream) -> web.StreamResponse:
        answer = await upstream()
        content = answer.body if isinstance(answer.body, bytes) else b""
        await anyio.sleep(seconds)
        response = web.StreamResponse(status=answer.status, headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(content[:1])
        await anyio.sleep(seconds)
        await response.write(content[1:])
        return response

    return effect


async def silence(request: web.Request, _: Upstream) -> web.StreamResponse:
    """A watch that is open and says nothing, not even that it ends."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await asyncio.get_running_loop().create_future()
    return response


async def expired(request: web.Request, _: Upstream) -> web.StreamResponse:
    """A watch that begins with 200 and then says 410, as API servers do."""
    line = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}\n'
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(line)
    return response


@dataclass(slots=True, kw_only=True)
class Rule:
    """Which requests an effect meets. `times` counts down; -1 never ends."""

    effect: Effect
    method: str = "*"
    path: str = ""
    """Searched for as a regular expression."""
    watch: bool | None = None
    header: tuple[str, str] = ("", "")
    """A header and a text that it must contain."""
    times: int = -1
    met: int = 0

    def matches(self, request: web.Request) -> bool:
        """Whether the request meets this rule."""
        is_watch = request.query.get("watch") in {"true", "1"}
        name, text = self.header
        return (
            self.times != 0
            and self.method in ("*", request.method)
            and re.search(self.path, request.path) is not None
            and self.watch in (None, is_watch)
            and text in request.headers.get(name or "Host", "")
        )


@dataclass(slots=True)
class Proxy:
    """A running proxy."""

    upstream: str
    tls: ssl.SSLContext | None = None
    rules: list[Rule] = field(default_factory=list)
    port: int = 0
    skew: timedelta = timedelta()
    """How far the server's clock is ahead: of its answers' Date, and of each time that it put into metadata itself."""
    passed: list[tuple[str, str, bool]] = field(default_factory=list)
    """Method, path, and whether it is a dry run, of what reached the server."""
    _watches: set[asyncio.Transport] = field(default_factory=set)
    _runner: web.ServerRunner | None = None
    _session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def add(self, effect: Effect, **how: Any) -> Rule:
        """One more rule, behind those that are there."""
        self.rules.append(Rule(effect=effect, **how))
        return self.rules[-1]

    async def start(self) -> None:
        """Listen: on a free port the first time, on the same one afterwards."""
        self._session = aiohttp.ClientSession(connector=Pool(limit=0, ssl=self.tls or True), auto_decompress=True)
        self._runner = web.ServerRunner(web.Server(self._handle, handler_cancellation=True), shutdown_timeout=0)  # type: ignore[arg-type]
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = int(site.name.rpartition(":")[2])

    def cut_watches(self) -> None:
        """Break those that are open; new ones may come."""
        for transport in list(self._watches):
            transport.abort()

    def writes(self, method: str) -> int:
        """How many requests of a method reached the server; renewals of leases and dry runs are not counted."""
        return sum(1 for verb, path, dry in self.passed if verb == method and not dry and "/leases" not in path)

    async def stop(self) -> None:
        """Refuse connections, and cut those that are open."""
        assert self._runner is not None
        assert self._session is not None
        server = self._runner.server
        for connection in server.connections if server else ():
            if connection.transport is not None:
                connection.transport.abort()
        await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        asked = request  # a low-level server hands over the base class, which has all that is used here
        assert isinstance(asked, web.BaseRequest)
        body = await asked.read()

        async def upstream() -> web.Response:
            async with self._open(asked, body) as answer:
                kind = answer.headers.get("Content-Type", "application/json")
                told = self._skewed(await answer.read())
                return web.Response(body=told, status=answer.status, headers=_kept(answer, kind, self.skew))

        rule = next((rule for rule in self.rules if rule.matches(asked)), None)  # type: ignore[arg-type]
        if rule is not None:
            rule.times -= 1 if rule.times > 0 else 0
            rule.met += 1
            answer = await rule.effect(asked, upstream)  # type: ignore[arg-type]
            if answer is not None:
                return answer
        if asked.query.get("watch") in {"true", "1"}:
            return await self._stream(asked, body)
        return await upstream()

    async def _stream(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        assert request.transport is not None
        transport = request.transport
        self._watches.add(transport)
        try:
            return await self._streamed(request, body)
        finally:
            self._watches.discard(transport)

    async def _streamed(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        async with self._open(request, body) as answer:
            response = web.StreamResponse(status=answer.status, headers={"Content-Type": "application/json"})
            await response.prepare(request)
            with suppress(aiohttp.ClientError, ConnectionError):
                async for line in _lines(answer):
                    await response.write(self._skewed(line))
            return response

    def _skewed(self, content: bytes) -> bytes:
        return _TIME.sub(lambda it: it[1] + _later(it[2], self.skew), content) if self.skew else content

    @asynccontextmanager
    async def _open(self, request: web.BaseRequest, body: bytes) -> AsyncIterator[aiohttp.ClientResponse]:
        assert self._session is not None
        self.passed.append((request.method, request.path, request.query.get("dryRun") == "All"))
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP]
        async with self._session.request(
            request.method,
            self.upstream + str(request.rel_url),
            data=body or None,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None),
        ) as answer:
            yield answer


def _kept(answer: aiohttp.ClientResponse, kind: str, skew: timedelta) -> dict[str, str]:
    retry = answer.headers.get("Retry-After")
    date = format_datetime(datetime.now(UTC) + skew, usegmt=True)
    return {"Content-Type": kind, "Date": date, **({"Retry-After": retry} if retry else {})}


async def _lines(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """A watch's events, each as soon as it is whole."""
    rest = b""
    async for piece in answer.content.iter_any():
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line + b"\n"


def _later(time: bytes, skew: timedelta) -> bytes:
    return (datetime.fromisoformat(time.decode()) + skew).strftime("%Y-%m-%dT%H:%M:%SZ").encode()


@asynccontextmanager
async def proxy(upstream: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    """A proxy in front of `upstream` while the block runs; `tls` is how to speak to it."""
    it = Proxy(upstream=upstream, tls=tls)
    await it.start()
    try:
        yield it
    finally:
        await it.stop()

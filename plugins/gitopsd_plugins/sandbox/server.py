"""HTTP on top of a cluster: connections, tokens, faults, the journal, and watches written out line by line.

aiohttp's low-level server without router or middleware, because every path is parsed by `call.py` anyway and the
sandbox also serves benchmarks. Use it as

    async with serve() as running:
        running.url, running.token, running.kubeconfig(), running.cluster, running.faults, running.journal

The server answers on loopback, in plain HTTP unless TLS is asked for; every path but the health probes needs the token.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from multidict import CIMultiDictProxy

from gitopsd_plugins.sandbox import certificates, kubeconfig, persistence, routes, startup, status
from gitopsd_plugins.sandbox.bodies import BODY_LIMIT
from gitopsd_plugins.sandbox.call import flag, whole
from gitopsd_plugins.sandbox.cluster import Cluster, Settings
from gitopsd_plugins.sandbox.controllers.loop import Controllers
from gitopsd_plugins.sandbox.faults import Fault, Faults
from gitopsd_plugins.sandbox.journal import Journal, Request
from gitopsd_plugins.sandbox.routes import PROBES, Answer, Asked
from gitopsd_plugins.sandbox.store import encode
from gitopsd_plugins.sandbox.user import ADMIN, User, authenticated
from gitopsd_plugins.sandbox.watch import Watcher

BOOKMARK_EVERY = 60.0
"""Seconds between bookmarks of a watch that wants them."""
LONGEST_WATCH = 3600.0


@dataclass(slots=True, kw_only=True)
class Running:
    """A server that answers now."""

    cluster: Cluster
    token: str
    url: str = ""
    authority: str = ""
    """The PEM of the authority that signed the server's certificate; '' without TLS."""
    faults: Faults = field(default_factory=Faults)
    journal: Journal = field(default_factory=Journal)

    def kubeconfig(self) -> str:
        """A kubeconfig for kubectl and others, as YAML text. It holds the token."""
        return kubeconfig.text(self.url, self.token, self.authority)

    def compact(self) -> None:
        """Forget the history, so that a watch from any older version is answered with 410."""
        self.cluster.store.compact()

    def cut_watches(self) -> None:
        """End all open watches; what they have queued is still sent."""
        self.cluster.watchers.end_all()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request."""
        method, path, query = request.method, request.path, request.query
        user = self._user(request.headers, path)
        self.journal.add(
            Request(
                method=method,
                path=path,
                query=dict(query),
                user=user.name if user else "",
                agent=request.headers.get("User-Agent", ""),
            )
        )
        fault = self.faults.met(method, path)
        if fault is not None and fault.effect != "cut":
            return await _failed(request, fault)
        if user is None:
            return _response(Answer(code=401, body=encode(UNAUTHORIZED.body)))
        try:
            body = await request.read() if request.body_exists else b""
        except web.HTTPRequestEntityTooLarge:
            return _response(Answer(code=413, body=encode(status.too_large(BODY_LIMIT).body)))
        asked = Asked(method=method, path=path, query=query, headers=request.headers, body=body, user=user)
        answer = routes.answer(self.cluster, asked)
        if answer.watcher is None:
            return _response(answer)
        if fault is not None:
            answer.watcher.end()
        return await self._stream(request, answer.watcher)

    def _user(self, headers: CIMultiDictProxy[str], path: str) -> User | None:
        """Who asks; None without a token that is known."""
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and secrets.compare_digest(token.encode(), self.token.encode()):
            name = headers.get("Impersonate-User")
            return authenticated(name, tuple(headers.getall("Impersonate-Group", ()))) if name else ADMIN
        if account := self.cluster.service_account_tokens.get(token):
            return authenticated(account)
        return User(name="system:anonymous", groups=("system:unauthenticated",)) if path in PROBES else None

    async def _stream(self, request: web.BaseRequest, watcher: Watcher) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
        )
        try:
            await response.prepare(request)
            await self._send(response, watcher, request.query)
        except ConnectionError:  # the reader went away, which is how most watches end
            return response
        finally:
            self.cluster.watchers.remove(watcher)
        return response

    async def _send(self, response: web.StreamResponse, watcher: Watcher, query: Mapping[str, str]) -> None:
        """Write lines as they come, until the watch ends or its time is over."""
        loop = asyncio.get_running_loop()
        seconds = whole(query, "timeoutSeconds") or LONGEST_WATCH
        deadline = loop.time() + min(seconds, LONGEST_WATCH)
        bookmarks = flag(query, "allowWatchBookmarks")
        while True:
            if lines := watcher.take():
                await response.write(lines)
                continue
            left = deadline - loop.time()
            if watcher.ended or left <= 0:
                break
            try:
                async with asyncio.timeout(min(left, BOOKMARK_EVERY)):
                    await watcher.filled.wait()
            except TimeoutError:
                if bookmarks:
                    watcher.bookmark(self.cluster.store.version)
        await response.write_eof()


UNAUTHORIZED = status.Refused(401, "Unauthorized", "Unauthorized")


def _response(answer: Answer) -> web.Response:
    response = web.Response(status=answer.code, body=answer.body, headers={"Content-Type": answer.content_type})
    if answer.retry_after:
        response.headers["Retry-After"] = str(answer.retry_after)
    for warning in answer.warnings:
        response.headers.add("Warning", f'299 - "{_quoted(warning)}"')
    return response


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


async def _failed(request: web.BaseRequest, fault: Fault) -> web.StreamResponse:
    """Carry out a fault other than a cut watch."""
    match fault.effect:
        case "hang":
            await asyncio.Event().wait()  # until the client gives up, which cancels this
        case "drop":
            if request.transport is not None:
                request.transport.abort()
            await asyncio.Event().wait()
    reasons = {429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}
    refused = status.Refused(fault.status, reasons.get(fault.status, ""), "asked for by a fault")
    response = web.Response(
        status=fault.status, body=encode(refused.body), headers={"Content-Type": "application/json"}
    )
    if fault.retry_after is not None:
        response.headers["Retry-After"] = f"{fault.retry_after:g}"
    return response


@asynccontextmanager
async def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    tls: bool = False,
    persist: Path | None = None,
    settings: Settings | None = None,
) -> AsyncIterator[Running]:
    """A sandbox cluster that answers for as long as the context lasts.

    `port` 0 takes a free one; without `token` a random one is made. `persist` is a folder: the state is read from it at
    the start and written to it, in one step, at a clean end. `tls` makes an authority of its own and speaks https, which
    kubectl needs to send a token. Raises OSError when the port is taken, BlockingIOError when another sandbox uses the
    folder, ValueError when its file is damaged.
    """
    with persistence.held(persist):
        cluster = Cluster(settings=settings or Settings())
        if persist is None or not persistence.load(cluster, persist):
            startup.furnish(cluster)
        running = Running(cluster=cluster, token=token or secrets.token_urlsafe(32))
        try:
            async with _listening(running, host, port, tls=tls), Controllers(cluster):
                yield running
        finally:
            if persist is not None:
                persistence.save(cluster, persist)


def _server(running: Running) -> web.Server:
    """The HTTP server, with the API server's limit on bodies."""
    loop = asyncio.get_running_loop()

    def request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=BODY_LIMIT)

    return web.Server(running.handle, request_factory=request, access_log=None, handler_cancellation=True)


@asynccontextmanager
async def _listening(running: Running, host: str, port: int, *, tls: bool) -> AsyncIterator[None]:
    """Take requests for `running`, and say in it where."""
    made = certificates.make(host) if tls else None
    runner = web.ServerRunner(_server(running), shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, ssl_context=made.context if made else None)
        await site.start()
        address, bound = runner.addresses[0][:2]
        shown = f"[{address}]" if ":" in address else address
        running.url = f"{'https' if made else 'http'}://{shown}:{bound}"
        running.authority = made.authority if made else ""
        yield
    finally:
        running.cluster.watchers.end_all()
        await runner.cleanup()

"""HTTP on top of a cluster: connections, tokens, faults, the journal, and watches written out line by line.

aiohttp's low-level server without router or middleware, because every path is parsed by `call.py` anyway and the
sandbox also serves benchmarks. Use it as

    async with serve() as running:
        running.url, running.token, running.kubeconfig(), running.cluster, running.faults, running.journal

The server answers on loopback, in plain HTTP unless TLS is asked for; every path but the health probes needs the token.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from gitopsd_plugins.sandbox import kubeconfig, routes, startup
from gitopsd_plugins.sandbox.access import impersonation
from gitopsd_plugins.sandbox.cluster import Cluster, Settings
from gitopsd_plugins.sandbox.controllers.loop import Controllers
from gitopsd_plugins.sandbox.faults import Fault, Faults
from gitopsd_plugins.sandbox.journal import Journal, Request
from gitopsd_plugins.sandbox.requests import status
from gitopsd_plugins.sandbox.requests.bodies import BODY_LIMIT
from gitopsd_plugins.sandbox.requests.call import flag, whole
from gitopsd_plugins.sandbox.requests.user import ADMIN, ANONYMOUS, ANYBODY, User, authenticated, subject
from gitopsd_plugins.sandbox.routes import PROBES, Answer, Asked
from gitopsd_plugins.sandbox.storage.store import encode
from gitopsd_plugins.sandbox.views.watch import Watcher

if TYPE_CHECKING:
    from gitopsd_plugins.sandbox.access.certificates import Certificates
    from gitopsd_plugins.sandbox.keeping.keeper import Keeper

_log = logging.getLogger(__name__)

BOOKMARK_EVERY = 60.0
"""Seconds between bookmarks of a watch that wants them."""
LONGEST_WATCH = 3600.0


@dataclass(slots=True, kw_only=True)
class Running:
    """A server that answers now."""

    cluster: Cluster
    token: str
    url: str = ""
    certificates: Certificates | None = None
    """None without TLS."""
    faults: Faults = field(default_factory=Faults)
    journal: Journal = field(default_factory=Journal)
    keeper: Keeper | None = None
    """What keeps the state; None where it is in memory only."""

    @property
    def authority(self) -> str:
        """The PEM of the authority that signed the server's certificate; '' without TLS."""
        return self.certificates.authority if self.certificates else ""

    def kubeconfig(self) -> str:
        """A kubeconfig of the administrator for kubectl and others, as YAML text. It holds the token."""
        return kubeconfig.text(self.url, {"token": self.token}, self.authority)

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> str:
        """A kubeconfig of another user, who may do what his roles say: with a certificate, or a token where there is no TLS."""
        if self.certificates is None:
            return kubeconfig.text(self.url, {"token": self.token_for(user, groups)}, self.authority)
        return kubeconfig.text(self.url, kubeconfig.certified(*self.certificates.client(user, groups)), self.authority)

    def token_for(self, user: str, groups: Sequence[str] = ()) -> str:
        """A new token of a user, who may do what his roles say."""
        token = secrets.token_urlsafe(24)
        self.cluster.tokens[token] = authenticated(user, tuple(groups))
        return token

    def client(self) -> aiohttp.ClientSession:
        """A session of the administrator for paths of this server; to be used in `async with`."""
        connector = aiohttp.TCPConnector(
            ssl=ssl.create_default_context(cadata=self.authority) if self.authority else True
        )
        headers = {"Authorization": f"Bearer {self.token}", "User-Agent": "test/1"}
        return aiohttp.ClientSession(self.url, headers=headers, connector=connector)

    def reset(self) -> None:
        """Make the cluster as it was at its first start. Users' tokens end; the administrator's goes on."""
        self.cluster.clear()
        startup.furnish(self.cluster)
        if self.keeper is not None:
            self.keeper.renew()

    def compact(self) -> None:
        """Forget the history, so that a watch from any older version is answered with 410."""
        self.cluster.store.compact()

    def cut_watches(self, group: str | None = None, plural: str = "") -> None:
        """End the open watches of one resource, or all; what they have queued is still sent."""
        self.cluster.watchers.end_all(None if group is None else (group, plural))

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request."""
        method, path = request.method, request.path
        try:
            user = self._user(request)
        except status.Refused as refused:
            return _response(Answer(code=refused.code, body=encode(refused.body)))
        self.journal.add(
            Request(
                method=method,
                path=path,
                query=dict(request.query),
                user=user.name if user else "",
                agent=request.headers.get("User-Agent", ""),
            )
        )
        fault = self.faults.met(method, path)
        if fault is not None:
            await asyncio.sleep(fault.delay)
            if fault.effect not in ("cut", "pass"):
                return await _failed(request, fault)
        if user is None:
            return _response(Answer(code=401, body=encode(UNAUTHORIZED.body)))
        return await self._answered(request, user, cut=fault is not None and fault.effect == "cut")

    async def _answered(self, request: web.BaseRequest, user: User, *, cut: bool) -> web.StreamResponse:
        try:
            body = await request.read() if request.body_exists else b""
        except web.HTTPRequestEntityTooLarge:
            return _response(Answer(code=413, body=encode(status.too_large(BODY_LIMIT).body)))
        asked = Asked(
            method=request.method,
            path=request.path,
            query=request.query,
            headers=request.headers,
            body=body,
            user=user,
        )
        answer = _contained(self.cluster, asked)
        if answer.watcher is None:
            return _response(answer)
        if cut:
            answer.watcher.end()
        return await self._stream(request, answer.watcher)

    def _user(self, request: web.BaseRequest) -> User | None:
        """Who asks, after impersonation; None without a credential that is known. Raises `Refused`."""
        sender = self._sender(request)
        if sender is None:
            return User(name=ANONYMOUS, groups=(ANYBODY,)) if request.path in PROBES else None
        return impersonation.acting(self.cluster.access, sender, request.headers)

    def _sender(self, request: web.BaseRequest) -> User | None:
        """Who sent the request: by his token, else by his certificate."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            if secrets.compare_digest(token.encode(), self.token.encode()):
                return ADMIN
            return self.cluster.tokens.get(token)
        name, groups = subject(request.get_extra_info("peercert"))
        return authenticated(name, groups) if name else None

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


def _contained(cluster: Cluster, asked: Asked) -> Answer:
    """The answer; what the sandbox itself stumbles over is told as a real server tells what goes wrong inside it."""
    try:
        return routes.answer(cluster, asked)
    except RecursionError:
        return _refused(status.bad_request("exceeded max depth: the object is nested too deeply"))
    except Exception as error:  # noqa: BLE001 - no request is left without a Status, whatever it was
        _log.exception("%s %s", asked.method, asked.path)
        return _refused(status.Refused(500, "InternalError", f"Internal error occurred: {error!r}"))


def _refused(refused: status.Refused) -> Answer:
    return Answer(code=refused.code, body=encode(refused.body))


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

    `host` is a loopback address or name; `port` 0 takes a free one; without `token` a random one is made. `persist` is a folder: the
    state is read from it at the start, and written to it as it changes and at a clean end. `tls` makes an authority of its own and
    speaks https, which kubectl needs to send a token. Raises OSError when the port is taken or the folder takes nothing,
    BlockingIOError when another sandbox uses it, ValueError when a file in it is damaged.
    """
    if not _is_loopback(host):
        raise ValueError(f"{host} is no loopback address; the sandbox answers on this machine only")
    running = Running(cluster=Cluster(settings=settings or Settings()), token=token or secrets.token_urlsafe(32))
    async with AsyncExitStack() as stack:
        if persist is None:
            startup.furnish(running.cluster)
        else:
            running.keeper = await _kept(running.cluster, persist, stack)
        await stack.enter_async_context(_listening(running, host, port, tls=tls))
        await stack.enter_async_context(Controllers(running.cluster))
        yield running


async def _kept(cluster: Cluster, folder: Path, stack: AsyncExitStack) -> Keeper:
    """Fill a cluster with what a folder keeps, if anything, and keep it there from now on."""
    # here, because most clusters are in memory only, and all should start soon
    from gitopsd_plugins.sandbox.keeping import keeper, persistence

    stack.enter_context(persistence.held(folder))
    if not persistence.load(cluster, folder):
        startup.furnish(cluster)
    return await stack.enter_async_context(keeper.keeping(cluster, folder))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _server(running: Running) -> web.Server:
    """The HTTP server, with the API server's limit on bodies."""
    loop = asyncio.get_running_loop()

    def request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=BODY_LIMIT)

    return web.Server(running.handle, request_factory=request, access_log=None, handler_cancellation=True)


def _certificates(host: str) -> Certificates:
    # here, because most servers speak no TLS and the library takes a while to load
    from gitopsd_plugins.sandbox.access import certificates

    return certificates.make(host)


@asynccontextmanager
async def _listening(running: Running, host: str, port: int, *, tls: bool) -> AsyncIterator[None]:
    """Take requests for `running`, and say in it where."""
    made = _certificates(host) if tls else None
    runner = web.ServerRunner(_server(running), shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, ssl_context=made.context if made else None)
        await site.start()
        address, bound = runner.addresses[0][:2]
        shown = f"[{address}]" if ":" in address else address
        running.url = f"{'https' if made else 'http'}://{shown}:{bound}"
        running.certificates = made
        yield
    finally:
        running.cluster.watchers.end_all()
        await runner.cleanup()

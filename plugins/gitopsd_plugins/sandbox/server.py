"""What a cluster answers to whom: tokens, faults, the journal, and watches written out line by line.

There is no router and no middleware, because every path is parsed by `call.py` anyway. Use it as

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
from typing import TYPE_CHECKING

from gitopsd_plugins.sandbox import connections, kubeconfig, routes, startup
from gitopsd_plugins.sandbox.access import impersonation
from gitopsd_plugins.sandbox.cluster import Cluster, Settings
from gitopsd_plugins.sandbox.connections import Exchange, Incoming
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
    import aiohttp

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
        import aiohttp  # here, because a server needs none

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

    async def handle(self, exchange: Exchange) -> None:
        """Answer one HTTP request."""
        incoming = exchange.incoming
        try:
            user = self._user(incoming)
        except status.Refused as refused:
            return await _send(exchange, _refused(refused))
        self.journal.add(
            Request(
                method=incoming.method,
                path=incoming.path,
                query=incoming.query,
                user=user.name if user else "",
                agent=incoming.headers.get("User-Agent", ""),
            )
        )
        body = await exchange.body(BODY_LIMIT)
        fault = self.faults.met(incoming.method, incoming.path)
        if fault is not None:
            if fault.delay:
                await exchange.hold(fault.delay)
            if fault.effect not in ("cut", "pass"):
                return await _failed(exchange, fault)
        if user is None:
            return await _send(exchange, _refused(UNAUTHORIZED))
        if body is None:
            return await _send(exchange, _refused(status.too_large(BODY_LIMIT)))
        return await self._answer(exchange, user, body, cut=fault is not None and fault.effect == "cut")

    async def _answer(self, exchange: Exchange, user: User, body: bytes, *, cut: bool) -> None:
        incoming = exchange.incoming
        asked = Asked(
            method=incoming.method,
            path=incoming.path,
            query=incoming.query,
            headers=incoming.headers,
            body=body,
            user=user,
        )
        answer = _contained(self.cluster, asked)
        if answer.watcher is None:
            return await _send(exchange, answer)
        if cut:
            answer.watcher.end()
        return await self._stream(exchange, answer.watcher)

    def _user(self, incoming: Incoming) -> User | None:
        """Who asks, after impersonation; None without a credential that is known. Raises `Refused`."""
        sender = self._sender(incoming)
        if sender is None:
            return User(name=ANONYMOUS, groups=(ANYBODY,)) if incoming.path in PROBES else None
        return impersonation.acting(self.cluster.access, sender, incoming.headers)

    def _sender(self, incoming: Incoming) -> User | None:
        """Who sent the request: by his token, else by his certificate."""
        scheme, _, token = incoming.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            if secrets.compare_digest(token.encode(), self.token.encode()):
                return ADMIN
            return self.cluster.tokens.get(token)
        name, groups = subject(incoming.certificate)
        return authenticated(name, groups) if name else None

    async def _stream(self, exchange: Exchange, watcher: Watcher) -> None:
        headers = (("Content-Type", "application/json"), ("Cache-Control", "no-cache, private"))
        try:
            await exchange.stream(headers, self._lines(watcher, exchange.incoming.query))
        finally:
            self.cluster.watchers.remove(watcher)

    async def _lines(self, watcher: Watcher, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Lines as they come, until the watch ends or its time is over."""
        loop = asyncio.get_running_loop()
        seconds = whole(query, "timeoutSeconds") or LONGEST_WATCH
        deadline = loop.time() + min(seconds, LONGEST_WATCH)
        bookmarks = flag(query, "allowWatchBookmarks")
        while True:
            if lines := watcher.take():
                yield lines
                continue
            left = deadline - loop.time()
            if watcher.ended or left <= 0:
                return
            try:
                async with asyncio.timeout(min(left, BOOKMARK_EVERY)):
                    await watcher.filled.wait()
            except TimeoutError:
                if bookmarks:
                    watcher.bookmark(self.cluster.store.version)


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


async def _send(exchange: Exchange, answer: Answer) -> None:
    headers = [("Content-Type", answer.content_type)]
    if answer.retry_after:
        headers.append(("Retry-After", str(answer.retry_after)))
    headers += [("Warning", f'299 - "{_quoted(warning)}"') for warning in answer.warnings]
    await exchange.answer(answer.code, headers, answer.body)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


async def _failed(exchange: Exchange, fault: Fault) -> None:
    """Carry out a fault other than a cut watch."""
    match fault.effect:
        case "hang":
            return await exchange.hang()
        case "drop":
            return await exchange.drop()
    reasons = {429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}
    refused = status.Refused(fault.status, reasons.get(fault.status, ""), "asked for by a fault")
    headers = [("Content-Type", "application/json")]
    if fault.retry_after is not None:
        headers.append(("Retry-After", f"{fault.retry_after:g}"))
    return await exchange.answer(fault.status, headers, encode(refused.body))


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


def _certificates(host: str) -> Certificates:
    # here, because most servers speak no TLS and the library takes a while to load
    from gitopsd_plugins.sandbox.access import certificates

    return certificates.make(host)


@asynccontextmanager
async def _listening(running: Running, host: str, port: int, *, tls: bool) -> AsyncIterator[None]:
    """Take requests for `running`, and say in it where."""
    made = _certificates(host) if tls else None
    async with connections.listening(running.handle, host, port, made.context if made else None) as (address, bound):
        shown = f"[{address}]" if ":" in address else address
        running.url = f"{'https' if made else 'http'}://{shown}:{bound}"
        running.certificates = made
        try:
            yield
        finally:
            running.cluster.watchers.end_all()

"""Requests to one registry: login on demand, redirects, pauses, plain HTTP where it is allowed. It knows no manifests.

Credentials go to the registry alone and are dropped where a redirect leaves it. Each request takes a turn at its host, which
counts for all sources; see `hosts`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from gitopsd.model.errors import Rejected
from gitopsd.plugin import follow, hosts, http
from gitopsd.plugin.hosts import HostFailed, Hosts
from gitopsd.plugin.http import Http, Tls
from gitopsd.plugin.oci import answers, tokens
from gitopsd.plugin.oci.credentials import Credential
from gitopsd.plugin.oci.manifest import FAILED
from gitopsd.plugin.oci.reference import Repository
from gitopsd.plugin.oci.tokens import Door, Grants, Line
from gitopsd.plugin.sources import network

if TYPE_CHECKING:
    import aiohttp


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How to reach a registry. `insecure` allows plain HTTP, and TLS that is not checked unless `tls` says how."""

    credential: Credential | None = field(default=None, repr=False)
    tls: Tls = field(default=Tls(), repr=False)
    insecure: bool = False
    login_at: str = "spec.secretRef"
    """Where the login is named, for messages; so is the CA at `trust_at`."""
    refused: Callable[[], object] = field(default=lambda: None, repr=False, compare=False)
    """Called where the login was refused, by whoever keeps it."""
    trust_at: str = "ca.crt of spec.certSecretRef"


class Outside(Protocol):
    """The part of a `Context` that is needed here."""

    @property
    def http(self) -> Http:
        """Sessions and proxies."""
        ...

    @property
    def hosts(self) -> Hosts:
        """The limits of hosts."""
        ...

    @property
    def now(self) -> Callable[[], datetime]:
        """The clock."""
        ...


class Memory:
    """What is remembered between requests: tokens, and which hosts speak plain HTTP."""

    def __init__(self) -> None:
        self.grants = Grants()
        self.origins: dict[tuple[str, bool], str] = {}


class Connection:
    """Sends requests below one repository. All methods raise `HostFailed`, `Transient` and `Rejected`.

    `timeout` in seconds is that of the session.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        repository: Repository,
        way: Way,
        ctx: Outside,
        memory: Memory,
        timeout: float,
    ) -> None:
        self._session = session
        self._repository = repository
        self._way = way
        self._ctx = ctx
        self._memory = memory
        self._timeout = timeout

    @asynccontextmanager
    async def send(
        self, method: str, path: str, *, headers: Mapping[str, str] = {}, data: Any = None, push: bool = False
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request below the repository, or to a whole URL; only an answer of success is given.

        Answers a challenge once, follows redirects of what reads.
        """
        what = f"{self._repository}: {path}" if "://" not in path else str(self._repository)
        url, challenged, redirects = path if "://" in path else "", False, 0
        while redirects <= follow.MAX_REDIRECTS:
            async with self._turn(url or f"https://{self._repository.server}"):
                origin = await self._origin()
                url = url or f"{origin}/v2/{self._repository.name}/{path}"
                door = self._door(origin, push=push)
                async with self._request(method, url, door, headers, data) as response:
                    asked = response.status == 401 and not challenged and http.same_origin(url, origin)
                    leads = response.status in follow.REDIRECTS and method in {"GET", "HEAD"}
                    if leads and "Location" in response.headers:
                        url = follow.target(url, response.headers["Location"], reason=FAILED)
                        redirects += 1
                    elif not asked:
                        await self._check_answer(response, what)
                        yield response
                        return
            if asked:  # outside the turn: the service may be the same host, and takes one of its own
                challenged = True
                await self._log_in(response, door)
        raise Rejected(f"{what}: more than {follow.MAX_REDIRECTS} redirects", reason=FAILED)

    @asynccontextmanager
    async def _turn(self, url: str) -> AsyncIterator[None]:
        """A turn at a host, in which whatever the connection meets counts against it."""
        trust = f"; put its CA into {self._way.trust_at}"
        async with self._ctx.hosts.turn(hosts.name(url)):
            try:
                with network.translated(str(self._repository), timeout=self._timeout, reason=FAILED, trust=trust):
                    yield
            except HostFailed:
                self._memory.origins.pop(self.key, None)  # it may speak otherwise when it is back
                raise

    def _door(self, origin: str, *, push: bool) -> Door:
        return Door(
            origin=origin,
            scope=f"repository:{self._repository.name}:{'pull,push' if push else 'pull'}",
            credential=self._way.credential,
            login_at=self._way.login_at,
        )

    def _request(
        self, method: str, url: str, door: Door, headers: Mapping[str, str], data: Any
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        granted = self._memory.grants.get(door, self._ctx.now()) if http.same_origin(url, door.origin) else ""
        return self._session.request(
            method,
            follow.exact(url),
            headers={**headers, **({"Authorization": granted} if granted else {})},
            data=data,
            proxy=self._ctx.http.proxy(url),
            allow_redirects=False,
        )

    async def _log_in(self, response: aiohttp.ClientResponse, door: Door) -> None:
        self._memory.grants.drop(door)
        wanted = tokens.challenge(response.headers.getall("WWW-Authenticate", []))
        if wanted is None:
            raise answers.refused(
                response, b"", str(self._repository), login=door.credential is not None, at=self._way.login_at
            )
        line = Line(session=self._session, proxy=self._ctx.http.proxy, turn=self._turn)
        self._memory.grants.keep(door, await tokens.grant(line, wanted, door, self._ctx.now()))

    async def _check_answer(self, response: aiohttp.ClientResponse, what: str) -> None:
        wait = hosts.pause(response.headers, self._ctx.now())
        if response.status < 300:
            self._ctx.hosts.heed(hosts.name(str(response.url)), wait)
            return
        data = await network.body(response, 64 << 10, what, reason=FAILED)
        login = self._way.credential is not None
        raise answers.refused(response, data, what, login=login, at=self._way.login_at, wait=wait)

    async def _origin(self) -> str:
        """Scheme and host. Plain HTTP only where it is allowed, and only for a host that does not speak TLS."""
        server, allowed = self._repository.server, self._way.insecure or self._repository.local
        if not allowed:
            return f"https://{server}"
        key = self.key
        if key not in self._memory.origins:
            self._memory.origins[key] = f"{await self._scheme(server)}://{server}"
        return self._memory.origins[key]

    @property
    def key(self) -> tuple[str, bool]:
        """Under which the origin is remembered."""
        return self._repository.server, self._way.insecure

    async def _scheme(self, server: str) -> str:
        import aiohttp

        url = f"https://{server}/v2/"
        try:
            async with self._session.get(url, proxy=self._ctx.http.proxy(url), allow_redirects=False):
                return "https"
        except aiohttp.ClientConnectorCertificateError:
            raise  # it speaks TLS, and is not who it should be
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError, aiohttp.ClientHttpProxyError):
            return "http"

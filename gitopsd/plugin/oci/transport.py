"""Requests to one registry: login on demand, redirects, pauses, plain HTTP where it is allowed. It knows no manifests.

Credentials go to the registry alone and are dropped where a redirect leaves it. Who says "too many requests" is left alone by
everybody here until the time that it names, since limits are the host's and not the object's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from gitopsd.model.errors import Rejected, Transient
from gitopsd.plugin import http
from gitopsd.plugin.http import Http, Tls
from gitopsd.plugin.oci import answers, tokens
from gitopsd.plugin.oci.credentials import Credential
from gitopsd.plugin.oci.manifest import FAILED
from gitopsd.plugin.oci.reference import Repository
from gitopsd.plugin.oci.tokens import Door, Grants
from gitopsd.plugin.sources import follow, network

if TYPE_CHECKING:
    import aiohttp

MAX_PAUSES = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How to reach a registry. `insecure` allows plain HTTP, and TLS that is not checked unless `tls` says how."""

    credential: Credential | None = field(default=None, repr=False)
    tls: Tls = field(default=Tls(), repr=False)
    insecure: bool = False
    login_at: str = "spec.secretRef"
    """Where the login is named, for messages; so is the CA at `trust_at`."""
    refused: Callable[[], object] = field(default=lambda: None, repr=False)
    """Called where the login was refused, by whoever keeps it."""
    trust_at: str = "ca.crt of spec.certSecretRef"


class Outside(Protocol):
    """The part of a `Context` that is needed here."""

    @property
    def http(self) -> Http:
        """Sessions and proxies."""
        ...

    @property
    def now(self) -> Callable[[], datetime]:
        """The clock."""
        ...


class Memory:
    """What is remembered between requests: tokens, which hosts speak plain HTTP, and which asked to be left alone."""

    def __init__(self) -> None:
        self.grants = Grants()
        self.origins: dict[tuple[str, bool], str] = {}
        self.pauses: dict[str, datetime] = {}

    def pause(self, host: str, until: datetime) -> None:
        """Leave a host alone; what was noted longest ago makes room, since redirects may lead to any number of hosts."""
        while len(self.pauses) >= MAX_PAUSES:
            del self.pauses[next(iter(self.pauses))]
        self.pauses[host] = until


class Connection:
    """Sends requests below one repository. All methods raise `Transient` and `Rejected`."""

    def __init__(
        self, session: aiohttp.ClientSession, repository: Repository, way: Way, ctx: Outside, memory: Memory
    ) -> None:
        self._session = session
        self._repository = repository
        self._way = way
        self._ctx = ctx
        self._memory = memory

    @asynccontextmanager
    async def send(
        self, method: str, path: str, *, headers: Mapping[str, str] = {}, data: Any = None, push: bool = False
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request below the repository, or to a whole URL; only an answer of success is given.

        Answers a challenge once, follows redirects of what reads.
        """
        what = f"{self._repository}: {path}" if "://" not in path else str(self._repository)
        origin = await self._origin()
        url = path if "://" in path else f"{origin}/v2/{self._repository.name}/{path}"
        door = Door(
            origin=origin,
            scope=f"repository:{self._repository.name}:{'pull,push' if push else 'pull'}",
            credential=self._way.credential,
            login_at=self._way.login_at,
        )
        challenged = False
        for _ in range(follow.MAX_REDIRECTS + 2):
            self._check_pause(url)
            async with self._request(method, url, door, headers, data) as response:
                if response.status == 401 and not challenged and http.same_origin(url, origin):
                    challenged = True
                    await self._log_in(response, door)
                    continue
                if response.status in follow.REDIRECTS and method in {"GET", "HEAD"} and "Location" in response.headers:
                    url = follow.target(url, response.headers["Location"], reason=FAILED)
                    continue
                await self._check_answer(response, what)
                yield response
                return
        raise Rejected(f"{what}: more than {follow.MAX_REDIRECTS} redirects", reason=FAILED)

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
        now = self._ctx.now()
        self._memory.grants.keep(door, await tokens.grant(self._session, wanted, door, now, self._ctx.http.proxy))

    async def _check_answer(self, response: aiohttp.ClientResponse, what: str) -> None:
        if response.status < 300:
            return
        data = await network.body(response, 64 << 10, what, reason=FAILED)
        error = answers.refused(response, data, what, login=self._way.credential is not None, at=self._way.login_at)
        if isinstance(error, Transient) and error.retry_after:
            self._memory.pause(response.url.host or "", self._ctx.now() + timedelta(seconds=error.retry_after))
        raise error

    def _check_pause(self, url: str) -> None:
        host = urlsplit(url).hostname or ""
        until = self._memory.pauses.get(host)
        if until is None:
            return
        rest = (until - self._ctx.now()).total_seconds()
        if rest <= 0:
            del self._memory.pauses[host]
            return
        raise Transient(f"{host} asked to be left alone until {until:%H:%M:%SZ}", reason=FAILED, retry_after=rest)

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

"""Files over http for Helm's sources: bounded, into a file, credentials only where they belong.

Credentials go to the origin that they were given for, and with `everywhere` (Flux's passCredentials) to wherever the index or
a redirect leads. No message holds one. What a host says about its limits is heeded for all objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gitopsd.plugin import Context, GitopsdError, Rejected, Tls, follow, hosts, http
from gitopsd.plugin.hosts import HostFailed
from gitopsd.plugin.sources import access, network, spool
from gitopsd_plugins.helm.repository import FAILED, Repository

if TYPE_CHECKING:
    import aiohttp

UNCHANGED = 304
_TRUST, _SLOW = "; put its CA as ca.crt into spec.certSecretRef", "; see spec.timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What opens `origin`, a URL."""

    origin: str
    authorization: str = field(default="", repr=False)
    tls: Tls = field(default=Tls(), repr=False)
    everywhere: bool = False

    def headers(self, url: str) -> Mapping[str, str]:
        """What may be sent to this URL."""
        here = self.everywhere or http.same_origin(url, self.origin)
        return {"Authorization": self.authorization} if here and self.authorization else {}

    def trust(self, url: str) -> Tls:
        """Whom to trust at this URL, and how to be trusted: a client certificate is a credential too."""
        if self.everywhere or http.same_origin(url, self.origin):
            return self.tls
        return replace(self.tls, certificate=b"", key=b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What came: `status` 200 with a file, or 304 without. `digest` is of the bytes as they were saved."""

    status: int
    digest: str = ""
    etag: str = ""
    modified: str = ""


async def login(repository: Repository, ctx: Context) -> Login:
    """The credentials of a repository. Raises `NotReady` for a missing Secret, `Rejected` for a wrong key."""
    given = await access.given(repository.secret, ctx)
    certificates = await access.given(repository.certificates, ctx, "spec.certSecretRef")
    return Login(
        origin=repository.url,
        authorization=access.authorization(given),
        tls=access.tls(certificates if repository.certificates else _renamed(given)),
        everywhere=repository.pass_credentials,
    )


def _renamed(given: access.Given) -> access.Given:
    """Certificates in `secretRef`, under the names that Flux had for them once."""
    names = {"certFile": "tls.crt", "keyFile": "tls.key", "caFile": "ca.crt"}
    renamed = {names[key]: value for key, value in given.data.items() if key in names}
    return replace(given, data={**renamed, **given.data})


async def save(
    url: str,
    login: Login,
    file: Path,
    ctx: Context,
    *,
    limit: int,
    too_large: GitopsdError,
    timeout: float,
    known: Mapping[str, str] | None = None,
) -> Saved:
    """Write what is at a URL into a file; `known` are headers of a conditional request. `timeout` in seconds for each request.

    Unless it returns with the status 200, what is in the file must not be used. `too_large` is raised over `limit` bytes.
    """
    for _ in range(follow.MAX_REDIRECTS + 1):
        async with ctx.hosts.turn(hosts.name(url)):
            answer = await _asked(_Request(url, login, known or {}, file, limit, too_large, timeout), ctx)
        if isinstance(answer, Saved):
            return answer
        url = answer
    raise Rejected(f"{follow.place(url)}: more than {follow.MAX_REDIRECTS} redirects", reason=FAILED)


async def _asked(asked: _Request, ctx: Context) -> Saved | str:
    """What came, or the URL that the answer leads to."""
    url, login = asked.url, asked.login
    headers = {**login.headers(url), **asked.known}
    trust, socks = login.trust(url), ctx.http.socks(url)
    with network.translated(follow.place(url), timeout=asked.timeout, reason=FAILED, trust=_TRUST, slow=_SLOW):
        async with ctx.http.session(tls=trust, limit=1, timeout=asked.timeout, proxy=socks) as session:
            request = session.get(url, headers=headers, proxy=ctx.http.proxy(url), allow_redirects=False)
            async with request as response:
                wait = hosts.pause(response.headers, ctx.now())
                location = response.headers.get("Location", "")
                if response.status in follow.REDIRECTS and location:
                    return follow.target(url, location, reason=FAILED)
                if response.status not in {200, UNCHANGED}:
                    raise _refused(response.status, url, login, wait)
                ctx.hosts.heed(hosts.name(url), wait)
                return await _saved(response, asked)


@dataclass(frozen=True, slots=True)
class _Request:
    url: str
    login: Login
    known: Mapping[str, str]
    file: Path
    limit: int
    too_large: GitopsdError
    timeout: float


async def _saved(response: aiohttp.ClientResponse, asked: _Request) -> Saved:
    if response.status == UNCHANGED:
        return Saved(status=UNCHANGED)
    saved = await spool.save(response, asked.file, limit=asked.limit, too_large=asked.too_large)
    return Saved(
        status=200,
        digest=saved.digest,
        etag=response.headers.get("ETag", ""),
        modified=response.headers.get("Last-Modified", ""),
    )


def _refused(status: int, url: str, login: Login, wait: float | None) -> GitopsdError:
    place = follow.place(url)
    if status in {401, 403}:
        if login.headers(url):
            return Rejected(f"{place} refused the credentials ({status}); check spec.secretRef", reason=access.FAILED)
        hint = "spec.passCredentials, since it is another host" if login.authorization else "spec.secretRef"
        return Rejected(f"{place} asks for credentials ({status}); set {hint}", reason=access.FAILED)
    if status == 404:
        return Rejected(f"nothing at {place} (404); check spec.url of the HelmRepository", reason=FAILED)
    if status == 429 or status >= 500:
        return HostFailed(f"{place} answered {status}; it is asked again later", reason=FAILED, retry_after=wait)
    return Rejected(f"{place} answered {status}; check spec.url of the HelmRepository", reason=FAILED)

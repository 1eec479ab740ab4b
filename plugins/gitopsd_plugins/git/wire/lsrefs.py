"""The refs of a repository behind http, asked for without Git: what a poll costs, so it is small and never blocks.

One POST per poll in protocol 2; what the server can do is asked once per address and remembered. Older servers answer
the first GET with all their refs. Credentials are sent to the origin of the address only; redirects are followed for the
GET alone (as Git does), never from https to http, and lose the credentials when they leave the origin.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitopsd.plugin import Context, GitopsdError, Rejected, follow, hosts, http
from gitopsd.plugin.hosts import HostFailed
from gitopsd.plugin.sources import access, network
from gitopsd_plugins.git.address import Address
from gitopsd_plugins.git.credentials import Access
from gitopsd_plugins.git.reference import FAILED, Advertised
from gitopsd_plugins.git.wire import pktline

if TYPE_CHECKING:
    import aiohttp

MAX_KNOWN = 4096
TRUST, SLOW = "; put its CA as ca.crt into spec.secretRef", "; see spec.timeout"
"""What to do where the certificate is not trusted, or nothing comes."""

_ADVERTISEMENT = "application/x-git-upload-pack-advertisement"
_RESULT = "application/x-git-upload-pack-result"
_REQUEST = "application/x-git-upload-pack-request"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    url: str
    kind: str
    body: bytes


class HttpRefs:
    """Lists refs over http. Remembers per address where it led to, when the server speaks protocol 2."""

    def __init__(self) -> None:
        self._modern: OrderedDict[str, str] = OrderedDict()

    async def list(
        self, place: Address, opened: Access, prefixes: Sequence[str], ctx: Context, timeout: float
    ) -> Mapping[str, Advertised]:
        """The refs of these prefixes (older servers: all). Raises `HostFailed` or `Rejected` naming the address."""
        key = place.url
        try:
            with network.translated(key, timeout=timeout, reason=FAILED, trust=TRUST, slow=SLOW):
                through = ctx.http.socks(key)
                async with ctx.http.session(tls=opened.tls, limit=1, timeout=timeout, proxy=through) as session:
                    return await self._listed(_Conversation(session, place, opened, ctx), key, prefixes)
        except GitopsdError:
            self._modern.pop(key, None)
            raise
        except pktline.WireError as error:
            self._modern.pop(key, None)
            raise Rejected(f"{place} sent what Git does not allow: {error}", reason=FAILED) from error

    async def _listed(self, conversation: _Conversation, key: str, prefixes: Sequence[str]) -> Mapping[str, Advertised]:
        base = self._modern.get(key)
        if base is None:
            base, found = await conversation.advertised()
            if found.version < 2:
                return found.refs
            self._modern[key] = base
            if len(self._modern) > MAX_KNOWN:
                self._modern.popitem(last=False)
        return await conversation.refs(base, prefixes)


class _Conversation:
    """The requests of one poll."""

    def __init__(self, session: aiohttp.ClientSession, place: Address, opened: Access, ctx: Context) -> None:
        self._session = session
        self._place = place
        self._opened = opened
        self._ctx = ctx

    async def advertised(self) -> tuple[str, pktline.Advertisement]:
        """Where the repository really is, and what it says first."""
        tail = "/info/refs?service=git-upload-pack"
        reply = await self._request("GET", self._place.url + tail)
        if reply.kind != _ADVERTISEMENT or not reply.url.endswith(tail):
            kind = reply.kind or "nothing that it names"
            raise Rejected(f"{self._place} does not answer as a Git server (but {kind}); check spec.url", reason=FAILED)
        return reply.url.removesuffix(tail), pktline.advertisement(reply.body)

    async def refs(self, base: str, prefixes: Sequence[str]) -> Mapping[str, Advertised]:
        """The one small request of a poll."""
        reply = await self._request("POST", f"{base}/git-upload-pack", pktline.ls_refs(prefixes))
        if reply.kind != _RESULT:
            raise Rejected(f"{self._place} does not answer as a Git server; check spec.url", reason=FAILED)
        return pktline.listed(reply.body)

    async def _request(self, method: str, url: str, body: bytes | None = None) -> _Reply:
        for _ in range(follow.MAX_REDIRECTS + 1):
            self._ctx.http.egress.check_url(url)
            async with self._session.request(
                method,
                url,
                data=body,
                headers=self._headers(url, posts=body is not None),
                proxy=self._ctx.http.proxy(url),
                allow_redirects=False,
            ) as response:
                location = response.headers.get("Location", "")
                if response.status in follow.REDIRECTS and location and body is None:
                    url = follow.target(url, location, reason=FAILED)
                    continue
                self._check(response)
                return _Reply(url=url, kind=response.content_type, body=await _read(response))
        raise too_many_redirects(self._place)

    def _check(self, response: aiohttp.ClientResponse) -> None:
        wait = hosts.pause(response.headers, self._ctx.now())
        if response.status != 200:
            raise refused(response.status, self._place, bool(self._opened.authorization), wait)
        self._ctx.hosts.heed(hosts.name(self._place.url), wait)

    def _headers(self, url: str, *, posts: bool) -> dict[str, str]:
        headers = {
            "Git-Protocol": "version=2",
            "Cache-Control": "no-cache",
            "User-Agent": f"git/{self._ctx.http.user_agent}",  # some servers speak Git to names that begin so only
        }
        if posts:
            headers |= {"Content-Type": _REQUEST, "Accept": _RESULT}
        if self._opened.authorization and http.same_origin(url, self._place.url):
            headers["Authorization"] = self._opened.authorization
        return headers


async def _read(response: aiohttp.ClientResponse) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(1 << 16):
        size += len(chunk)
        if size > pktline.MAX_BODY:
            raise pktline.WireError(f"more than {pktline.MAX_BODY >> 20} MiB of refs")
        chunks.append(chunk)
    return b"".join(chunks)


def too_many_redirects(place: Address) -> GitopsdError:
    """They lead on and on."""
    return Rejected(f"{place} redirects more than {follow.MAX_REDIRECTS} times; check spec.url", reason=FAILED)


def refused(status: int, place: Address, credentials: bool, wait: float | None = None) -> GitopsdError:
    """What a status other than 200 means; `wait` is how many seconds the answer asks to stay away."""
    if status == 429 or status >= 500 or (status == 403 and wait is not None):
        return HostFailed(f"{place} answered {status}; it is asked again later", reason=FAILED, retry_after=wait)
    if status in {401, 403} and credentials:
        return Rejected(f"{place} refused the credentials ({status}); check spec.secretRef", reason=access.FAILED)
    if status in {401, 403}:
        return Rejected(f"{place} asks for credentials ({status}); set spec.secretRef", reason=access.FAILED)
    if status == 407:
        return Rejected(f"the proxy on the way to {place} asks for credentials (407)", reason=FAILED)
    if status == 404:
        hint = "" if credentials else ", and spec.secretRef if it is private"
        return Rejected(f"no repository at {place} (404); check spec.url{hint}", reason=FAILED)
    return Rejected(f"{place} answered {status}; check spec.url", reason=FAILED)

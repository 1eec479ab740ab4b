"""Requests to one API server: JSON both ways, few at a time, patient with a server that asks for patience.

It knows HTTP and the server's conventions (Status, Retry-After, dry run), no kinds. Refusals are values (`Reply`), so that
each caller decides what a 404 or 409 means to it; what stops every request alike is raised: `Transient` when the server cannot
be reached or stays busy, `Rejected` when it does not accept the credentials. This is the one place that holds back writes
of a read-only actor.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import anyio
import msgspec

from gitopsd.plugin import Access, Actor, Context, GitopsdError, Rejected, Transient
from gitopsd_plugins.kubernetes import impersonation, refusal, sendable
from gitopsd_plugins.kubernetes.refusal import Reply

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

JSON = "application/json"
APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
METADATA = f"application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,{JSON}"
"""Of an object its metadata only, where the server can do that."""
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

_TRIES = 6
_RECONNECTS = 3
_LONGEST_WAIT = 10.0
"""Seconds; a server that asks for more gets its wish from the scheduler, not from a held slot."""
_MAX_ANSWER = 256 * 1024 * 1024
_BUSY = frozenset({429, 502, 503, 504})
_DRY = {"dryRun": "All"}


class Client:
    """Sends requests while its context is open. Safe for concurrent use."""

    def __init__(self, access: Access, actor: Actor, ctx: Context) -> None:
        self._access, self._actor, self._ctx = access, actor, ctx
        self._slots = anyio.Semaphore(actor.concurrency, fast_acquire=True)
        self._base = access.server.rstrip("/")
        self._proxy = access.proxy or ctx.http.proxy(access.server)
        self._tls_name = access.tls.name or None
        self._session: aiohttp.ClientSession | None = None
        self._streams: aiohttp.ClientSession | None = None
        self._sending: set[anyio.CancelScope] = set()
        self._reading: set[aiohttp.ClientResponse] = set()

    async def __aenter__(self) -> Client:
        self._session = self._ctx.http.session(tls=self._access.tls, limit=self._actor.concurrency, anywhere=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        sessions = self._session, self._streams
        self._session = self._streams = None  # before anything is waited for: nobody begins a request meanwhile
        for scope in self._sending:  # whoever still waits for an answer would wait for its time-out
            scope.cancel()
        for response in self._reading:
            response.content.set_exception(self._closed())
        with anyio.CancelScope(shield=True):  # most targets end by being cancelled
            for session in sessions:
                if session is not None:
                    await session.close()

    @property
    def access(self) -> Access:
        """The way to the server."""
        return self._access

    @property
    def closed(self) -> bool:
        """True where nothing can be sent any more (or yet)."""
        return self._session is None

    async def get(self, path: str, params: Mapping[str, str] | None = None, *, accept: str = JSON) -> Reply:
        """Read."""
        return await self.send("GET", path, params=params, accept=accept)

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Reply:
        """One request, repeated while the server is busy or away. Raises `Transient`, or `Rejected` for a 401."""
        self._refuse_writes(method, path, params)
        encoded = sendable.text if content_type == APPLY else msgspec.json.encode
        data = None if body is None else encoded(body)
        with anyio.CancelScope() as scope:
            self._sending.add(scope)
            try:
                return await self._repeated(method, path, params, data, content_type, accept)
            finally:
                self._sending.discard(scope)
        raise self._closed()

    async def _repeated(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        data: bytes | None,
        content_type: str,
        accept: str,
    ) -> Reply:
        renewed = False
        for attempt in range(1, _TRIES + 1):
            last = attempt == _TRIES
            try:
                async with self._slots:
                    reply = await self._once(method, path, params, data, content_type, accept)
            except Transient:
                if attempt >= _RECONNECTS or method == "POST":
                    raise
                await anyio.sleep(_pause(attempt))
                continue
            if reply.status == 401:
                if renewed or last or self._access.expire is None:
                    raise self._unauthorized(reply)
                renewed = True
                self._access.expire()
                continue
            if reply.status not in _BUSY or last:
                return impersonation.explained(reply, self._access)
            wait = reply.retry_after if reply.retry_after is not None else _pause(attempt)
            if wait > _LONGEST_WAIT:
                return reply
            await anyio.sleep(wait)
        raise AssertionError("unreachable: the last try returns or raises")

    @asynccontextmanager
    async def stream(
        self, path: str, params: Mapping[str, str], *, silence: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A long answer to read piece by piece, beside the pool of requests; `silence` in seconds ends it."""
        import aiohttp

        headers = await self._headers(JSON, None)  # may wait for a token, and the client may be closed meanwhile
        if self.closed:
            raise self._closed()
        if self._streams is None:
            self._streams = self._ctx.http.session(tls=self._access.tls, limit=0, anywhere=True)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=silence)
        try:
            response = await self._streams.get(
                _url(self._base, path, params),
                headers=headers,
                proxy=self._proxy,
                server_hostname=self._tls_name,
                timeout=timeout,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from error
        transport = response.connection.transport if response.connection is not None else None
        self._reading.add(response)
        try:
            yield response
        finally:
            self._reading.discard(response)
            response.close()
            if transport is not None:
                transport.abort()  # a watch is left in the middle: a goodbye over TLS would wait for the server's
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()  # the transport closes its socket in the next turn of the loop

    async def _once(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        data: bytes | None,
        content_type: str,
        accept: str,
    ) -> Reply:
        import aiohttp

        headers = await self._headers(accept, content_type if data is not None else None)
        if self._session is None:
            raise self._closed()
        try:
            async with self._session.request(
                method,
                _url(self._base, path, params),
                data=data,
                headers=headers,
                proxy=self._proxy,
                server_hostname=self._tls_name,
                allow_redirects=False,
            ) as response:
                return _reply(response, await _content(response))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from error

    async def _headers(self, accept: str, content_type: str | None) -> Mapping[str, str]:
        from multidict import CIMultiDict

        headers: CIMultiDict[str] = CIMultiDict(await self._access.headers() if self._access.headers else {})
        headers["Accept"] = accept
        if content_type:
            headers["Content-Type"] = content_type
        return headers

    def _refuse_writes(self, method: str, path: str, params: Mapping[str, str] | None) -> None:
        dry = (params or {}).get("dryRun") == "All"
        if self._actor.read_only and method != "GET" and not dry:
            raise Rejected(f"{method} {path} was not sent: gitopsd runs read-only", reason="ReadOnly")

    def _unreachable(self, error: Exception) -> GitopsdError:
        import aiohttp

        words = str(error) or type(error).__name__
        if isinstance(error, aiohttp.ClientSSLError):
            return Rejected(
                f"cluster {self._access.cluster}: {self._access.server} is not trusted: {words}; check the certificate "
                "authority and tls-server-name of its kubeconfig",
                reason="NotTrusted",
            )
        return Transient(f"cluster {self._access.cluster}: {self._access.server} cannot be reached: {words}")

    def _closed(self) -> Transient:
        return Transient(
            f"cluster {self._access.cluster}: the connection was given up in the middle of the work; it is opened again"
        )

    def _unauthorized(self, reply: Reply) -> Rejected:
        return Rejected(
            f"cluster {self._access.cluster}: {self._access.server} does not accept the credentials: {reply.message}; "
            "renew the token or certificate that the Cluster names",
            reason="Unauthorized",
        )


def dry(params: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a request that changes nothing."""
    return {**params, **_DRY}


def _url(base: str, path: str, params: Mapping[str, str] | None) -> URL:
    """Encoded here, where paths are made of names that need little of it."""
    from yarl import URL

    return URL(f"{base}{path}?{_query(tuple(params.items()))}" if params else base + path, encoded=True)


@lru_cache(maxsize=256)
def _query(params: tuple[tuple[str, str], ...]) -> str:
    """Kept, since a thousand writes have the same."""
    return urlencode(params)


async def _content(response: aiohttp.ClientResponse) -> bytes:
    length = response.content_length
    if length is not None and length <= _MAX_ANSWER and "Content-Encoding" not in response.headers:
        return await response.read()
    content = bytearray()
    async for piece in response.content.iter_any():
        content += piece
        if len(content) > _MAX_ANSWER:
            raise Rejected(f"{response.url.path}: the answer is larger than {_MAX_ANSWER // 2**20} MiB")
    return bytes(content)


def _reply(response: aiohttp.ClientResponse, content: bytes) -> Reply:
    try:
        body = msgspec.json.decode(content) if content else {}
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = {"message": content[:200].decode("utf-8", "replace").strip()}
        if response.status < 400:
            raise Transient(f"{response.url.path}: the answer is not JSON: {body['message']}") from None
    if not isinstance(body, dict):
        body = {"message": str(body)[:200]}
    return Reply(status=response.status, body=body, retry_after=_retry_after(response, body))


def _retry_after(response: aiohttp.ClientResponse, body: Mapping[str, Any]) -> float | None:
    text = response.headers.get("Retry-After", "")
    if text.isdigit():
        return float(text[:6])
    details = body.get("details") if response.status >= 400 else None
    seconds = details.get("retryAfterSeconds") if isinstance(details, dict) else None
    return float(seconds) if isinstance(seconds, int) and seconds > 0 else None


def _pause(attempt: int) -> float:
    """0.1, 0.2, 0.4 ... seconds, half of it by chance, so that many clients do not come back at once."""
    return 0.1 * 2.0 ** (attempt - 1) * (0.5 + random.random() / 2)  # jitter, not a secret


def checked(reply: Reply, what: str) -> Mapping[str, Any]:
    """The body of an answer that must be a success. Raises the error of a refusal."""
    if not reply.ok:
        raise refusal.error(reply, what)
    return reply.body

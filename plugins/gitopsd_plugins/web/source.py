"""The source of single files: one GET tells whether the file is the same; what it holds is its revision.

Redirects are followed, but never to an address without encryption when the first one has it, and never with credentials.
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

import anyio.to_thread

from gitopsd.plugin import (
    Artifact,
    Changes,
    Content,
    Context,
    Intake,
    NothingThere,
    ObjectRef,
    Rejected,
    Remote,
    Revision,
    SourceIntent,
    Stored,
    Transient,
    digest,
    follow,
    hosts,
)
from gitopsd.plugin.hosts import HostFailed
from gitopsd.plugin.sources import network

if TYPE_CHECKING:
    import aiohttp

MAX_FILE = 16 << 20
NAME = "content"
"""Of the one file in the tree."""
TIMEOUT = timedelta(seconds=30)
FORMAT = 1


class FileSource:
    """Serves addresses of files. Keeps nothing."""

    kind = "RemoteFile"
    serves = "file"

    def address(self, remote: Remote, ref: ObjectRef) -> SourceIntent:
        """The file at this address."""
        if remote.revision:
            raise Rejected(f"{ref}: a file has no revisions")
        content = digest.of_value({"format": FORMAT, "url": remote.url})
        return SourceIntent(ref=ref, spec=remote.url, content=content, interval=timedelta(), timeout=TIMEOUT)

    async def resolve(self, intent: SourceIntent, ctx: Context) -> Revision:
        """What the file holds now. Raises `NothingThere`."""
        return Revision(digest=digest.of_bytes(await _read(intent, ctx)))

    async def fetch(self, intent: SourceIntent, revision: Revision, base: Artifact | None, ctx: Context) -> Stored:
        """The file as the only one of a tree."""
        data = await _read(intent, ctx)
        if digest.of_bytes(data) != revision.digest:
            raise Transient(f"{intent.ref}: changed while it was fetched; it is asked again")
        return await anyio.to_thread.run_sync(_put, data, ctx.intake)


def _put(data: bytes, intake: Intake) -> Stored:
    (file,) = intake.add([Content(data=data)])
    return intake.put(Changes(entries={NAME: file}))


async def _read(intent: SourceIntent, ctx: Context) -> bytes:
    timeout, url = intent.timeout.total_seconds(), intent.spec
    async with ctx.http.session(timeout=timeout) as session:
        for _ in range(follow.MAX_REDIRECTS + 1):
            async with ctx.hosts.turn(hosts.name(url)):
                with network.translated(str(intent.ref), timeout=timeout, reason=Transient.default_reason):
                    async with session.get(url, proxy=ctx.http.proxy(url), allow_redirects=False) as response:
                        location = response.headers.get("Location", "")
                        if response.status in follow.REDIRECTS and location:
                            url = follow.target(url, location, reason=Rejected.default_reason)
                            continue
                        _check(intent, response, ctx)
                        return await _body(intent, response)
    raise Rejected(f"{intent.ref}: redirects more than {follow.MAX_REDIRECTS} times")


def _check(intent: SourceIntent, response: aiohttp.ClientResponse, ctx: Context) -> None:
    status, wait = response.status, hosts.pause(response.headers, ctx.now())
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise HostFailed(f"{intent.ref}: the server answered {status}; it is asked again later", retry_after=wait)
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        raise NothingThere(f"{intent.ref}: the server answered {status}")
    ctx.hosts.heed(hosts.name(str(response.url)), wait)


async def _body(intent: SourceIntent, response: aiohttp.ClientResponse) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(1 << 16):
        size += len(chunk)
        if size > MAX_FILE:
            raise Rejected(
                f"{intent.ref}: more than {MAX_FILE >> 20} MiB; copy what is needed of it into the repository"
            )
        chunks.append(chunk)
    return b"".join(chunks)

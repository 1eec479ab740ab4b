"""One file over http whose digest is known beforehand: streamed to the disk, checked, and gone when it has been used.

No credentials are sent, so a redirect may lead anywhere that `follow` allows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gitopsd.model.errors import Rejected, Transient, VerificationFailed
from gitopsd.plugin import follow, hosts
from gitopsd.plugin.context import Context
from gitopsd.plugin.hosts import HostFailed
from gitopsd.plugin.sources import network, spool

if TYPE_CHECKING:
    import aiohttp

FAILED = "ArtifactFailed"
MAX_BYTES = 4 << 30


@asynccontextmanager
async def held(url: str, digest: str, ctx: Context, *, cache: str, timeout: float) -> AsyncIterator[Path]:
    """The file while it is needed. Raises `VerificationFailed` where its bytes are others, `Transient`, `Rejected`."""
    with spool.file(ctx, cache) as path:
        await _save(url, digest, path, ctx, timeout)
        yield path


async def _save(url: str, digest: str, path: Path, ctx: Context, timeout: float) -> None:
    async with ctx.http.session(limit=1, timeout=timeout, proxy=ctx.http.socks(url)) as session:
        for _ in range(follow.MAX_REDIRECTS + 1):
            place = follow.place(url)
            async with ctx.hosts.turn(hosts.name(url)):
                with network.translated(place, timeout=timeout, reason=FAILED):
                    async with session.get(follow.exact(url), proxy=ctx.http.proxy(url), allow_redirects=False) as got:
                        location = got.headers.get("Location")
                        if got.status in follow.REDIRECTS and location:
                            url = follow.target(url, location, reason=FAILED)
                            continue
                        _check(got, url, ctx)
                        await _written(got, digest, path, place)
                        return
    raise Rejected(f"{follow.place(url)}: more than {follow.MAX_REDIRECTS} redirects", reason=FAILED)


def _check(response: aiohttp.ClientResponse, url: str, ctx: Context) -> None:
    wait = hosts.pause(response.headers, ctx.now())
    if response.status == 200:
        ctx.hosts.heed(hosts.name(url), wait)
        return
    # what is not there yet, or not any more, may be there later: whoever makes artifacts removes old ones
    error = HostFailed if response.status == 429 or response.status >= 500 else Transient
    raise error(f"{follow.place(url)} answered {response.status}", reason=FAILED, retry_after=wait)


async def _written(response: aiohttp.ClientResponse, digest: str, path: Path, what: str) -> None:
    too_large = Rejected(f"{what} has more than {MAX_BYTES >> 20} MiB; pack less, or split it", reason=FAILED)
    algorithm = digest.partition(":")[0]
    saved = await spool.save(response, path, limit=MAX_BYTES, too_large=too_large, algorithm=algorithm)
    if saved.digest != digest:
        raise VerificationFailed(f"{what} is not what its digest {digest} says; nothing of it is used", reason=FAILED)

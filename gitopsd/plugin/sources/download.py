"""One file over http whose digest is known beforehand: streamed to the disk, checked, and gone when it has been used.

No credentials are sent, so a redirect may lead anywhere that `follow` allows.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gitopsd.model.errors import Rejected, Transient, VerificationFailed
from gitopsd.plugin.context import Context
from gitopsd.plugin.sources import follow, network, spool

if TYPE_CHECKING:
    import aiohttp

FAILED = "ArtifactFailed"
MAX_BYTES = 4 << 30


@asynccontextmanager
async def held(url: str, digest: str, ctx: Context, *, cache: str, timeout: float) -> AsyncIterator[Path]:
    """The file while it is needed. Raises `VerificationFailed` where its bytes are others, `Transient`, `Rejected`."""
    with spool.file(ctx, cache) as path:
        with network.translated(follow.place(url), timeout=timeout, reason=FAILED):
            await _save(url, digest, path, ctx, timeout)
        yield path


async def _save(url: str, digest: str, path: Path, ctx: Context, timeout: float) -> None:
    async with ctx.http.session(limit=1, timeout=timeout, proxy=ctx.http.socks(url)) as session:
        for _ in range(follow.MAX_REDIRECTS + 1):
            async with session.get(follow.exact(url), proxy=ctx.http.proxy(url), allow_redirects=False) as response:
                location = response.headers.get("Location")
                if response.status in follow.REDIRECTS and location:
                    url = follow.target(url, location, reason=FAILED)
                    continue
                _check(response, url)
                await _written(response, digest, path, follow.place(url))
                return
    raise Rejected(f"{follow.place(url)}: more than {follow.MAX_REDIRECTS} redirects", reason=FAILED)


def _check(response: aiohttp.ClientResponse, url: str) -> None:
    if response.status == 200:
        return
    # what is not there yet, or not any more, may be there later: whoever makes artifacts removes old ones
    after = network.retry_after(response.headers.get("Retry-After", ""), datetime.now(UTC))
    raise Transient(f"{follow.place(url)} answered {response.status}", reason=FAILED, retry_after=after)


async def _written(response: aiohttp.ClientResponse, digest: str, path: Path, what: str) -> None:
    algorithm, _, wanted = digest.partition(":")
    total, size = hashlib.new(algorithm), 0
    with spool.opened(path) as file:
        async for piece in network.pieces(response):
            size += len(piece)
            if size > MAX_BYTES:
                raise Rejected(f"{what} is larger than {MAX_BYTES >> 20} MiB", reason=FAILED)
            total.update(piece)
            spool.write(file, piece)
    if total.hexdigest() != wanted:
        raise VerificationFailed(f"{what} is not what its digest {digest} says; nothing of it is used", reason=FAILED)

"""Files that lie on the disk only between a download and the store, in a plugin's own cache folder.

What a source downloads on the event loop comes this way, piece by piece: none of it is ever whole in the daemon's memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol
from uuid import uuid4

import anyio.to_thread

from gitopsd.model.errors import GitopsdError, Transient
from gitopsd.plugin.context import Context
from gitopsd.plugin.sources import network

if TYPE_CHECKING:
    import aiohttp

LEFT_BEHIND = 86_400
"""Seconds after which nobody can still be using a file."""
_SUFFIX = ".spool"


@contextmanager
def file(ctx: Context, cache: str) -> Iterator[Path]:
    """A path for one file, which is gone afterwards. What a process left that died on the way is removed a day later."""
    folder = ctx.cache(cache)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(folder, ctx.now().timestamp() - LEFT_BEHIND)
    path = folder / f"{uuid4().hex}{_SUFFIX}"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _sweep(folder: Path, before: float) -> None:
    for left in folder.glob(f"*{_SUFFIX}"):
        with suppress(FileNotFoundError):
            if left.stat().st_mtime < before:
                left.unlink()


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What was written: `algo:hex` of the bytes, and how many they are."""

    digest: str
    size: int


class _Total(Protocol):
    def update(self, data: bytes, /) -> None: ...


async def save(
    response: aiohttp.ClientResponse, path: Path, *, limit: int, too_large: GitopsdError, algorithm: str = "sha256"
) -> Saved:
    """Write a body into a file as it comes; `too_large` is raised for more than `limit` bytes, `Transient` for a full disk.

    Unless it returns, what is in the file must not be used.
    """
    total, size = hashlib.new(algorithm), 0
    with _opened(path) as file:
        async for piece in network.pieces(response):
            size += len(piece)
            if size > limit:
                raise too_large
            # in a thread: a disk that is slow must not stop the loop
            await anyio.to_thread.run_sync(_write, file, total, piece)
    return Saved(digest=f"{algorithm}:{total.hexdigest()}", size=size)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("wb", buffering=0)
    except OSError as error:
        raise _translated(error, path) from error


def _write(file: BinaryIO, total: _Total, piece: bytes) -> None:
    total.update(piece)
    try:
        left = memoryview(piece)
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        raise _translated(error, file.name) from error


def _translated(error: OSError, path: Path | str) -> Transient:
    return Transient(f"{path}: cannot be written: {error.strerror}")

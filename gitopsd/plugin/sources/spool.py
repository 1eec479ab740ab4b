"""Files that lie on the disk only between a download and the store, in a plugin's own cache folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from gitopsd.model.errors import Transient
from gitopsd.plugin.context import Context

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


def opened(path: Path) -> BinaryIO:
    """The file for writing. Raises `Transient`."""
    try:
        return path.open("wb")
    except OSError as error:
        raise Transient(f"{path}: cannot be written: {error.strerror}") from error


def write(file: BinaryIO, piece: bytes) -> None:
    """More of it. Raises `Transient`, for a full disk above all."""
    try:
        file.write(piece)
    except OSError as error:
        raise Transient(f"{file.name}: cannot be written: {error.strerror}") from error

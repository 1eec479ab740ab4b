"""The key of all digests of secret content. Made once; losing it costs a render, so it needs no backup."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from gitopsd.model.errors import UsageError
from gitopsd.store.failures import translated

LENGTH = 32


def read(folder: Path) -> bytes:
    """The key in this folder, made where there is none. Call it with the folder's lock held."""
    path = folder / "secret.key"
    with translated(path):
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    if len(key) != LENGTH:
        raise UsageError(f"{path} is not a key of {LENGTH} bytes; remove it, a new one is made (each app renders once)")
    return key


def _make(path: Path) -> None:
    """Written beside and renamed, so that no moment leaves half a key."""
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(LENGTH))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.rename(path)

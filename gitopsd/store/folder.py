"""The state folder: its layout, its modes, its lock, and what is set aside.

lock          held while the folder is opened, so that two processes never make or move the same thing
secret.key    32 random bytes
ledger.db     never moved, never removed
cache/        everything else; disposable as one folder, so that a database and its big files stay together
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gitopsd.model.errors import Transient
from gitopsd.store.failures import translated

_PATIENCE = 30.0


def make(folder: Path) -> None:
    """Make the folder, for its owner only; an existing one is narrowed. Raises `UsageError` for one that is somebody else's."""
    with translated(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
        os.listdir(folder)


def hand_over(folder: Path) -> None:
    """Give what the superuser made here to the folder's owner: a service that runs as him could not open it otherwise.

    By descriptors, and no link in it is followed: the owner may change names meanwhile. The folder may be one, as systemd's is.
    """
    owner = folder.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for _, folders, files, here in os.fwalk(folder.resolve()):
        for name in (*folders, *files):
            with suppress(FileNotFoundError):  # another process removed it
                if os.stat(name, dir_fd=here, follow_symlinks=False).st_uid == 0:
                    os.chown(name, owner.st_uid, owner.st_gid, dir_fd=here, follow_symlinks=False)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; waits up to 30 s for another process that opens it."""
    path = folder / "lock"
    with translated(path):
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def set_aside(cache: Path, suffix: str) -> Path:
    """Rename the cache folder to the first free `cache.<suffix>`, and return that."""
    with translated(cache):
        aside = next(path for path in _names(cache, suffix) if not path.exists())
        return cache.rename(aside)


def _names(cache: Path, suffix: str) -> Iterator[Path]:
    yield cache.with_name(f"{cache.name}.{suffix}")
    for number in range(2, 10_000):
        yield cache.with_name(f"{cache.name}.{suffix}-{number}")


def _lock(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise Transient(
                    f"{path} is held by another process for over {_PATIENCE:.0f} s; see what runs"
                ) from error
        time.sleep(0.01)

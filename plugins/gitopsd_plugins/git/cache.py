"""Bare repositories that make the next fetch small. One per address and credentials, safe to delete at any time.

Named by a keyed digest, so that the folder tells nobody where and with which password things are fetched, and nobody
reads what other credentials fetched. A cache that is damaged, or has grown over its limit, is removed and begun anew.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from dulwich.errors import NotGitRepository
from dulwich.objects import ObjectID
from dulwich.refs import Ref
from dulwich.repo import Repo

from gitopsd.plugin import digest
from gitopsd_plugins.git.order import Remote

UNUSED = 14 * 86_400
"""Seconds after which a cache is removed."""

_LAST = Ref(b"refs/gitopsd/last")
_KEY = "key"


@contextmanager
def held(root: Path, remote: Remote, *, complete: bool) -> Iterator[Path]:
    """The folder of a repository's cache, for this process alone; `complete` ones have no shallow history."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    opened = remote.access
    # A token that changes by the hour is no other access.
    who = opened.who or opened.authorization
    value = [remote.address.url, who, opened.user, opened.identity, opened.tls.key.hex(), complete]
    name = digest.of_secret(value, _key(root)).rpartition(":")[2]
    _sweep(root)
    lock = root / f"{name}.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        os.utime(lock)
        yield root / f"{name}.git"


@contextmanager
def opened(folder: Path, limit: int) -> Iterator[Repo]:
    """The repository in this folder, begun anew where there is none, it is damaged, or it has over `limit` bytes."""
    repo = _open_or_begin(folder, limit)
    try:
        yield repo
    finally:
        # After an error its traceback may still hold on to mapped files; they are closed with it.
        with suppress(BufferError):
            repo.close()


def _open_or_begin(folder: Path, limit: int) -> Repo:
    if folder.is_dir() and _size(folder) > limit:
        discard(folder)
    if folder.is_dir():
        try:
            return Repo(str(folder))
        except (NotGitRepository, OSError, ValueError):
            discard(folder)
    folder.mkdir(parents=True, mode=0o700)
    return Repo.init_bare(str(folder))


def discard(folder: Path) -> None:
    """Remove a cache."""
    shutil.rmtree(folder, ignore_errors=True)


def last(repo: Repo) -> str:
    """The commit that was fetched last; '' for none."""
    try:
        return repo.refs[_LAST].decode("ascii")
    except KeyError:
        return ""


def remember(repo: Repo, commit: str) -> None:
    """Note the commit that was fetched last."""
    repo.refs[_LAST] = ObjectID(commit.encode("ascii"))


def _sweep(root: Path) -> None:
    """Remove caches that nobody used for a while: their repository was removed, moved, or has new credentials."""
    for lock in root.glob("*.lock"):
        if time.time() - lock.stat().st_mtime < UNUSED:
            continue
        with lock.open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            # The lock's own file stays: removing it would let two processes hold two locks of one name.
            discard(lock.with_suffix(".git"))
            os.utime(lock)


def _key(root: Path) -> bytes:
    path = root / _KEY
    if not path.exists():
        # It appears whole: who came at the same time and read a part of it would fetch into another cache.
        with NamedTemporaryFile(dir=root, prefix="new-") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            with suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_bytes()


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in (folder / "objects" / "pack").glob("*"))

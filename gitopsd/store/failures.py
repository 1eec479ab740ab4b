"""Failures of the disk and of SQLite, said in gitopsd's words: which path, what, and what to do.

What passes by itself (a full disk, a busy file) is `Transient`; what only the user can change (owner, mode) is `UsageError`.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitopsd.model.errors import GitopsdError, Transient, UsageError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_NO_ACCESS = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH})


class DamagedDatabase(Transient):
    """SQLite cannot read the database file any more."""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise what the operating system reports about `path` as an error of the gitopsd tree."""
    try:
        yield
    except OSError as error:
        raise _of_system(error, path) from error


def of_sqlite(error: sqlite3.Error, path: Path) -> GitopsdError:
    """What SQLite reports about the database at `path`, as an error of the gitopsd tree."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the class, the rest says where in SQLite
    if code in _DAMAGED:
        return DamagedDatabase(f"{path} is damaged ({error})")
    if code in _BUSY:
        return Transient(f"{path} is in use by another process for too long; see what else runs on this folder")
    if code == sqlite3.SQLITE_FULL:
        return Transient(f"{path} cannot be written: the disk is full; free some space")
    if code in _NO_ACCESS:
        return UsageError(f"{path} cannot be opened for writing ({error}); check the owner and mode of the folder")
    return Transient(f"{path}: {error}; check the disk")


def _of_system(error: OSError, path: Path) -> GitopsdError:
    place = error.filename or path
    if error.errno in _FULL:
        return Transient(f"{place} cannot be written: the disk is full; free some space")
    if error.errno in _FORBIDDEN:
        return UsageError(f"{place}: {error.strerror}; check the owner and mode of {path}")
    return Transient(f"{place}: {error.strerror or error}; check the disk")

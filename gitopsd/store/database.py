"""One SQLite file, used by many threads and processes at once. Knows transactions; must not know what the tables mean.

Write-ahead logging lets readers go on while one writer writes. A writer takes the lock at the start of its transaction
(`BEGIN IMMEDIATE`): a lock taken later could only fail. Connections are lent to one user at a time and kept for the next,
so that threads never wait for each other's. Spawned processes open their own; a `Database` must not cross a fork.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import msgspec

from gitopsd.model.errors import GitopsdError
from gitopsd.store.failures import DamagedDatabase, of_sqlite, translated
from gitopsd.store.schema import Schema

BUSY = 30.0
"""Seconds to wait for another writer. Transactions take milliseconds: longer means that something is wrong."""

_POLL = 0.0005
_PAGE = 8192
_LOG = 4000
"""Pages in the log (32 MB) at which the next commit moves them to the main file, if nobody did before."""

_SETTINGS = {
    "page_size": _PAGE,  # for a new file only
    "cache_size": -8000,  # kilobytes
    "wal_autocheckpoint": _LOG,
    "journal_size_limit": _LOG * _PAGE,
}


class OtherDatabase(Exception):  # noqa: N818 - the name is the state
    """The file was written by another gitopsd, with this schema number."""

    def __init__(self, version: int) -> None:
        super().__init__(f"schema {version}")
        self.version = version


class NewerDatabase(OtherDatabase):
    """By a newer one."""


class OlderDatabase(OtherDatabase):
    """By an older one, whose tables are not read any more."""


class Database:
    """An open database. Made by `open_database`."""

    def __init__(self, path: Path, schema: Schema) -> None:
        self.path = path
        self._schema = schema
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self._lock = Lock()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection for queries; each statement sees the newest state. Nobody is waited for.

        A row that does not decode, inside the body, counts as damage of the database.
        """
        connection = self._take()
        try:
            yield connection
        except sqlite3.Error as error:
            connection.close()
            if isinstance(error, sqlite3.ProgrammingError | sqlite3.IntegrityError):
                raise  # ours, not the disk's
            raise self._failure(error) from error
        except msgspec.DecodeError as error:
            connection.close()
            raise self._damaged(f"{self.path} is damaged ({error})") from error
        except BaseException:
            self._give_back(connection)
            raise
        self._give_back(connection)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it, or nothing when the body raises. Keep it short: other writers wait."""
        with self.read() as connection:
            _begin(connection)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def checkpoint(self) -> None:
        """Move the log into the main file. Who writes much does so himself, lest a small writer has to wait for it."""
        with self.read() as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        """Close every connection; one that is lent, when it comes back."""
        with self._lock:
            idle, self._idle, self._closed = self._idle, [], True
        for connection in idle:
            connection.close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        try:
            return _connect(self.path, self._schema)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            keep = not self._closed
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()

    def _failure(self, error: sqlite3.Error) -> GitopsdError:
        failure = of_sqlite(error, self.path)
        return self._damaged(str(failure)) if isinstance(failure, DamagedDatabase) else failure

    def _damaged(self, message: str) -> DamagedDatabase:
        """The error to raise. A cache that is found damaged is marked: the next to open it begins a fresh one."""
        if self._schema.durable:
            return DamagedDatabase(message)
        with translated(self.path):
            _mark(self.path).touch(mode=0o600)
        return DamagedDatabase(f"{message}; restart gitopsd to begin a fresh one")


def open_database(path: Path, schema: Schema) -> Database:
    """Open the file, made with mode 0600 where it is missing. Call it with the folder's lock held.

    Raises `NewerDatabase`, `OlderDatabase`, `DamagedDatabase`, or what `translated` makes of the disk's errors.
    """
    if _mark(path).exists():
        raise DamagedDatabase(f"{path} was found damaged")
    database = Database(path, schema)
    try:
        with translated(path):
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        with database.read() as connection:
            _prepare(connection, schema)
    except BaseException:
        database.close()
        raise
    return database


def _connect(path: Path, schema: Schema) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode=rw"  # never makes a file: one that vanished is an error
    connection = sqlite3.connect(
        address, uri=True, timeout=BUSY, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        for name, value in _SETTINGS.items():
            connection.execute(f"PRAGMA {name} = {value}")
        connection.execute(f"PRAGMA synchronous = {'FULL' if schema.durable else 'NORMAL'}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _begin(connection: sqlite3.Connection) -> None:
    """Take the writers' lock. SQLite's own waiting backs off to 100 ms a step, and would miss the gaps of a large put."""
    deadline = time.monotonic() + BUSY
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        while not _begun(connection, deadline):
            time.sleep(_POLL)
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY * 1000:.0f}")


def _begun(connection: sqlite3.Connection, deadline: float) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
            raise
        return False
    return True


def _mark(path: Path) -> Path:
    return path.with_suffix(".damaged")


def _prepare(connection: sqlite3.Connection, schema: Schema) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > schema.version:
        raise NewerDatabase(version)
    if version == schema.version:
        return
    if version > 0:
        raise OlderDatabase(version)
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # takes effect only before the first table
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(f"BEGIN IMMEDIATE; {schema.script} PRAGMA user_version = {schema.version}; COMMIT;")

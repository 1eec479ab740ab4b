"""The store's one face: everything that gitopsd keeps on the local disk, in one folder.

It may be opened by any number of processes and used by any number of threads. All calls are synchronous; those that touch
one object take well under a millisecond, those that take a list of contents or walk the whole store belong into a worker
process. Everything but the ledger may be lost at any time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gitopsd.model.change import Applied
from gitopsd.model.digest import Digest
from gitopsd.model.errors import UsageError
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.manifest import Body, Manifest, Outline, Rendered
from gitopsd.model.outcome import LedgerRow
from gitopsd.model.tree import Artifact, Changes, File, Node, Polled
from gitopsd.plugin.tree import Content, Stored
from gitopsd.store import (
    adding,
    applied,
    artifacts,
    blobs,
    children,
    folder,
    gc,
    growth,
    ledger,
    polls,
    rendered,
    secret_key,
    status,
    verify,
)
from gitopsd.store.adding import Group
from gitopsd.store.database import Database, NewerDatabase, OlderDatabase, open_database
from gitopsd.store.failures import DamagedDatabase, translated
from gitopsd.store.lately import Lately
from gitopsd.store.nodes import Nodes
from gitopsd.store.retention import Clock
from gitopsd.store.schema import CACHE, LEDGER

Through = Callable[[Iterable[Group]], Iterable[Sequence[File]]]
"""Writes groups of contents, and says by which files they are known."""


def wall_clock() -> int:
    """Seconds since 1970."""
    return int(time.time())


class Store:
    """An open store; made by `Store.open`, closed by `close` or as a context manager.

    `warnings` says what had to be set aside while opening, in sentences for the log.
    """

    remembers = True
    """Rendered sets are kept; where they are not, whoever made one keeps it himself."""

    def __init__(
        self, *, path: Path, cache: Database, ledger: Database, key: bytes, warnings: tuple[str, ...], now: Clock
    ) -> None:
        self.path = path
        self.warnings = warnings
        self._cache = cache
        self._ledger = ledger
        self._key = key
        self._now = now
        self._nodes = Nodes(cache)
        self._lately = Lately(cache, now)

    @classmethod
    def open(cls, path: Path, *, now: Clock = wall_clock) -> Self:
        """Open the store in this folder, made where it is missing (for its owner only).

        A cache that is damaged or was written by a newer gitopsd is set aside and a fresh one made, with a warning. Raises
        `UsageError` for a folder without access and for a ledger that cannot be read, `Transient` for a full disk.
        """
        folder.make(path)
        with folder.locked(path):
            key = secret_key.read(path)
            book = _open_ledger(path)
            cache, warnings = _open_cache(path / "cache")
        return cls(path=path, cache=cache, ledger=book, key=key, warnings=warnings, now=now)

    def close(self) -> None:
        """Close both databases; what is in the folder belongs to its owner, whoever opened it."""
        self._cache.close()
        self._ledger.close()
        with translated(self.path):
            folder.hand_over(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def key(self) -> bytes:
        """The 32 random bytes that key the digests of secret content."""
        return self._key

    # Trees: the protocols `Objects` and `Intake`.

    def node(self, digest: Digest) -> Node:
        """The entries of one directory. Raises `Transient` where it is missing or damaged."""
        return self._nodes.node(digest)

    def blob(self, digest: Digest) -> bytes:
        """The bytes of one file, checked. Raises `Transient` where they are missing or damaged.

        Damaged content is dropped with every artifact that needs it: `artifact` gives None, so the source fetches again.
        """
        return blobs.read(self._cache, digest)

    def known(self, keys: Sequence[str]) -> Mapping[str, File]:
        """Which of these native ids are in the store; they are kept for the grace period from now on."""
        return blobs.known(self._cache, keys, self._now)

    def add(self, contents: Iterable[Content], through: Through | None = None) -> Sequence[File]:
        """Keep bytes, in short transactions of up to 1,000; one `File` per content, in order.

        `through` is who writes the groups instead, and returns the files of each; at its end all is written.
        """
        mark = self._lately.mark()
        files = [file for written in (through or self._write)(adding.groups(contents)) for file in written]
        self._lately.note(mark, files)
        return files

    def write(self, group: Group) -> list[bytes]:
        """Keep one of the groups that `add` makes of contents; returns the digests."""
        return adding.write(self._cache, group, self._now)

    def put(self, changes: Changes) -> Stored:
        """Make the tree that differs by `changes` from its base; see `growth.put` for what replaces what."""
        return growth.put(self._cache, self._nodes, changes, self._lately.take(), self._now)

    def _write(self, groups: Iterable[Group]) -> Iterator[Sequence[File]]:
        for group in groups:
            yield adding.files(self.write(group), group.sizes)

    # References

    def refer(self, artifact: Artifact, *, keep: int = 3) -> None:
        """Make this the source's artifact; the latest `keep` stay, for rollback and plans. Raises `Transient`."""
        artifacts.refer(self._cache, artifact, keep, self._now)

    def artifact(self, source: ObjectRef) -> Artifact | None:
        """The source's artifact; None where it has none or it was found damaged: fetch it."""
        return artifacts.current(self._cache, source)

    def artifacts(self, source: ObjectRef) -> tuple[Artifact, ...]:
        """The artifacts that are kept, the newest first."""
        return artifacts.history(self._cache, source)

    def sources(self, kind: str) -> tuple[ObjectRef, ...]:
        """The sources of this kind that have artifacts."""
        return artifacts.sources(self._cache, kind)

    def forget(self, ref: ObjectRef) -> None:
        """Drop all that is known about a declared object that is gone: everything but its rows in the ledger."""
        with self._cache.write() as connection:
            artifacts.forget(connection, ref, self._now())
            rendered.forget(connection, ref)
            applied.forget(connection, ref)
            status.forget(connection, ref)
            polls.forget(connection, ref)
            children.forget(connection, ref)

    def polls(self) -> Mapping[ObjectRef, Polled]:
        """When each source was last found to be up to date."""
        return polls.of_all(self._cache)

    def keep_polls(self, values: Mapping[ObjectRef, Polled]) -> None:
        """Replace the polls of these sources, in one short transaction."""
        polls.keep(self._cache, values)

    # Rendered sets and what was applied

    def rendered(self, key: Digest) -> tuple[Manifest, ...] | None:
        """The objects of the rendered set of this key. Large sets take long: ask from a thread."""
        return rendered.by_key(self._cache, key)

    def outline(self, app: ObjectRef, intent: Digest) -> Outline | None:
        """The outline of the set that was kept last for this app under this intent: see whether its reads are unchanged."""
        return rendered.latest(self._cache, app, intent)

    def keep_rendered(self, rendered_set: Rendered, outline: Outline, *, app: ObjectRef, intent: Digest) -> None:
        """Keep a set, and the two before it. Raises ValueError for a `sensitive` one: it is never stored."""
        rendered.keep(self._cache, app, intent, rendered_set, outline)

    def applied(self, cluster_uid: str) -> Mapping[ObjectRef, Mapping[ResourceId, Applied]]:
        """What was applied to this cluster last, by app, with the marks from then."""
        return applied.of_cluster(self._cache, cluster_uid)

    def keep_applied(self, marks: Mapping[tuple[str, ObjectRef], Mapping[ResourceId, Applied | None]]) -> None:
        """Add or replace marks by cluster and app, and drop those that are None, in one short transaction."""
        applied.keep(self._cache, marks)

    def children(self) -> Mapping[ObjectRef, Sequence[Body]]:
        """The declared objects among the manifests of each app's last render, by app."""
        return children.of_all(self._cache)

    def keep_children(self, values: Mapping[ObjectRef, Sequence[Body]]) -> None:
        """Replace what these apps declared, in one short transaction."""
        children.keep(self._cache, values)

    # Status

    def status(self, ref: ObjectRef) -> Mapping[str, Any] | None:
        """The status that was kept last."""
        return status.of_object(self._cache, ref)

    def statuses(self) -> Mapping[ObjectRef, Mapping[str, Any]]:
        """Every status, sorted by object."""
        return status.of_all(self._cache)

    def keep_statuses(self, values: Mapping[ObjectRef, Mapping[str, Any]]) -> None:
        """Replace the statuses of these objects, in one short transaction."""
        status.keep(self._cache, values)

    def generations(self, specs: Mapping[ObjectRef, Digest]) -> Mapping[ObjectRef, int]:
        """The objects' generations: 1 at first, one more whenever an object's spec differs from the time before."""
        return status.generations(self._cache, specs)

    # Ledger

    def append(self, rows: Sequence[LedgerRow]) -> None:
        """Write rows into the ledger, all or none; they are on the disk when this returns."""
        ledger.append(self._ledger, rows)

    def unknown(self, rows: Sequence[LedgerRow]) -> tuple[LedgerRow, ...]:
        """Those of the rows that the ledger does not have."""
        return ledger.unknown(self._ledger, rows)

    def ledger(self, limit: int, ref: ObjectRef | None = None) -> tuple[LedgerRow, ...]:
        """The latest rows, the newest first."""
        return ledger.latest(self._ledger, limit, ref)

    # Upkeep: for `gitopsd store` and a worker process.

    def gc(self, grace: timedelta, now: datetime) -> gc.Report:
        """Remove what no artifact reaches and nobody used for `grace` (at least ten minutes)."""
        return gc.collect(self._cache, grace, now)

    def verify(self) -> verify.Report:
        """Check everything; what is damaged or incomplete is dropped, so that it is fetched again."""
        return verify.verify(self._cache)


def _open_ledger(path: Path) -> Database:
    file = path / "ledger.db"
    try:
        return open_database(file, LEDGER)
    except NewerDatabase as error:
        raise UsageError(
            f"{file} was written by a newer gitopsd ({error}); use that version, or name another state folder"
        ) from error
    except DamagedDatabase as error:
        raise UsageError(f"{error}; restore it from a backup, or move it away to start a new ledger") from error


def _open_cache(path: Path) -> tuple[Database, tuple[str, ...]]:
    folder.make(path)
    try:
        return open_database(path / "cache.db", CACHE), ()
    except NewerDatabase as error:
        aside = folder.set_aside(path, f"newer-{error.version}")
        warning = f"{path} was written by a newer gitopsd ({error}); it is kept as {aside}, a fresh cache is made"
    except OlderDatabase as error:
        aside = folder.set_aside(path, f"older-{error.version}")
        warning = f"{path} was written by an older gitopsd ({error}); it is kept as {aside}, a fresh cache is made"
    except DamagedDatabase as error:
        aside = folder.set_aside(path, "damaged")
        warning = f"{error}; it is kept as {aside}, a fresh cache is made"
    folder.make(path)
    return open_database(path / "cache.db", CACHE), (warning,)

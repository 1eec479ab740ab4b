"""What outlives the process but is no record in a cluster: statuses, polls, ledger rows, marks, children. Noted on the loop, written behind it.

A commit of the ledger waits for the disk for some milliseconds, so a thread writes whatever was noted since it wrote last: a
thousand apps that conclude at once cost a few commits. What a crash loses is the last instant of it, and nothing of that
decides anything: what was applied stands in the clusters. A full disk ends no attempt and no process: what cannot be written
is kept, said, and written together with what comes next. It decides nothing about content.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import anyio
from anyio import to_thread

from gitopsd.model.change import Applied
from gitopsd.model.errors import GitopsdError
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.manifest import Body
from gitopsd.model.outcome import LedgerRow
from gitopsd.model.tree import Polled

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

MOST_ROWS = 10_000
"""Rows that wait at most; beyond them the oldest are lost, each said in the log when it was new."""

Marks = Mapping[ResourceId, Applied | None]
"""New marks by object; None for one that is gone."""
AppOfCluster = tuple[str, ObjectRef]
"""The uid of a cluster, and an app."""


class Records(Protocol):
    """The part of the store that is written here. Every call may raise what the disk met."""

    def append(self, rows: Sequence[LedgerRow]) -> None:
        """Write rows of the ledger, all or none."""
        ...

    def unknown(self, rows: Sequence[LedgerRow]) -> tuple[LedgerRow, ...]:
        """Those of the rows that the ledger does not have."""
        ...

    def keep_statuses(self, statuses: Mapping[ObjectRef, Mapping[str, Any]]) -> None:
        """Replace statuses."""
        ...

    def keep_polls(self, polls: Mapping[ObjectRef, Polled]) -> None:
        """Replace polls."""
        ...

    def keep_applied(self, marks: Mapping[AppOfCluster, Marks]) -> None:
        """Add, replace and drop marks."""
        ...

    def keep_children(self, children: Mapping[ObjectRef, Sequence[Body]]) -> None:
        """Replace what apps declared."""
        ...

    def applied(self, cluster_uid: str) -> Mapping[ObjectRef, Mapping[ResourceId, Applied]]:
        """Every mark of a cluster, by app."""
        ...

    def forget(self, ref: ObjectRef) -> None:
        """Drop all that is known of an object."""
        ...


@dataclass(slots=True)
class _Waiting:
    """What is not written yet; objects are forgotten first, as one of the same name may have come since."""

    forgotten: dict[ObjectRef, None] = field(default_factory=dict)
    rows: deque[LedgerRow] = field(default_factory=lambda: deque(maxlen=MOST_ROWS))
    statuses: dict[ObjectRef, Mapping[str, Any]] = field(default_factory=dict)
    polls: dict[ObjectRef, Polled] = field(default_factory=dict)
    marks: dict[AppOfCluster, dict[ResourceId, Applied | None]] = field(default_factory=dict)
    children: dict[ObjectRef, Sequence[Body]] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(map(len, (self.forgotten, self.rows, self.statuses, self.polls, self.marks, self.children)))

    def without(self, ref: ObjectRef) -> None:
        self.statuses.pop(ref, None)
        self.polls.pop(ref, None)
        self.children.pop(ref, None)
        for key in [key for key in self.marks if key[1] == ref]:
            del self.marks[key]


class Journal:
    """Belongs to one event loop. `run` writes for as long as it is run, `flush` once."""

    def __init__(self, store: Records, log: FilteringBoundLogger) -> None:
        self._store = store
        self._log = log
        self._waiting = _Waiting()
        self._applied: dict[AppOfCluster, dict[ResourceId, Applied]] = {}
        self._noted = anyio.Event()
        self._writing = anyio.Lock()

    async def know(self, cluster_uid: str) -> None:
        """Read the marks of a cluster, before its apps are looked at; what is known already is newer."""
        try:
            found = await to_thread.run_sync(self._store.applied, cluster_uid)
        except GitopsdError as error:  # each object is looked at once more
            self._log.warning("the marks of the last run cannot be read", problem=str(error))
            return
        for app, marks in found.items():
            self._applied.setdefault((cluster_uid, app), dict(marks))

    def applied(self, cluster_uid: str, app: ObjectRef) -> Mapping[ResourceId, Applied]:
        """What the app applied to this cluster last, with the marks from then, as far as it is known."""
        return self._applied.get((cluster_uid, app), {})

    def keep_applied(
        self, cluster_uid: str, app: ObjectRef, marks: Mapping[ResourceId, Applied], gone: Collection[ResourceId] = ()
    ) -> None:
        """Add or replace marks, and drop those of objects that are gone."""
        known = self._applied.setdefault((cluster_uid, app), {})
        changed: dict[ResourceId, Applied | None] = {id: mark for id, mark in marks.items() if known.get(id) != mark}
        changed |= {id: None for id in gone if id in known}
        known.update(marks)
        for id in gone:
            known.pop(id, None)
        if changed:
            self._waiting.marks.setdefault((cluster_uid, app), {}).update(changed)
            self._noted.set()

    def note(
        self,
        ref: ObjectRef,
        *,
        status: Mapping[str, Any] | None = None,
        row: LedgerRow | None = None,
        polled: Polled | None = None,
    ) -> None:
        """Take down what came of an object."""
        if status is not None:
            self._waiting.statuses[ref] = status
        if row is not None:
            self._waiting.rows.append(row)
        if polled is not None:
            self._waiting.polls[ref] = polled
        self._noted.set()

    async def recall(self, rows: Sequence[LedgerRow]) -> None:
        """Take down what the ledger does not have of this: its disk was lost, or a gitopsd on another machine was at work."""
        async with self._writing:  # what was noted before is on the disk, or still waits
            try:
                found = await to_thread.run_sync(self._store.unknown, rows)
            except GitopsdError as error:
                self._log.warning("the ledger cannot be read", problem=str(error))
                return
            self._waiting.rows.extend(row for row in found if row not in self._waiting.rows)
        self._noted.set()

    def note_children(self, parent: ObjectRef, bodies: Sequence[Body]) -> None:
        """Take down what an app declares."""
        self._waiting.children[parent] = bodies
        self._noted.set()

    def forget(self, ref: ObjectRef) -> None:
        """The object is gone; nothing of it is kept but its rows in the ledger."""
        for key in [key for key in self._applied if key[1] == ref]:
            del self._applied[key]
        self._waiting.without(ref)
        self._waiting.forgotten[ref] = None
        self._noted.set()

    async def run(self) -> None:
        """Write what is noted. Never returns."""
        while True:
            await self._noted.wait()
            await self.flush()

    async def flush(self) -> None:
        """Return when all that was noted so far is written, or could not be. Never raises on account of the disk."""
        async with self._writing:
            self._noted = anyio.Event()
            batch, self._waiting = self._waiting, _Waiting()
            try:
                with anyio.CancelScope(shield=True):  # whoever ends the writer now would take the batch along
                    await to_thread.run_sync(self._write, batch)
            except GitopsdError as error:
                self._put_back(batch)
                self._log.error(
                    "kept in memory until it can be written", waiting=len(self._waiting), problem=str(error)
                )

    def _put_back(self, batch: _Waiting) -> None:
        """What was noted meanwhile is newer."""
        newer, self._waiting = self._waiting, batch
        for ref in newer.forgotten:
            batch.without(ref)
        batch.forgotten |= newer.forgotten
        batch.rows.extend(newer.rows)
        batch.statuses |= newer.statuses
        batch.polls |= newer.polls
        batch.children |= newer.children
        for key, marks in newer.marks.items():
            batch.marks.setdefault(key, {}).update(marks)

    def _write(self, batch: _Waiting) -> None:
        """In a thread. What was written leaves the batch at once, so that nothing is written twice after a failure."""
        if batch.rows:
            self._store.append(tuple(batch.rows))
            batch.rows.clear()
        for ref in tuple(batch.forgotten):
            self._store.forget(ref)
            del batch.forgotten[ref]
        if batch.statuses:
            self._store.keep_statuses(batch.statuses)
            batch.statuses.clear()
        if batch.polls:
            self._store.keep_polls(batch.polls)
            batch.polls.clear()
        if batch.marks:
            self._store.keep_applied(batch.marks)
            batch.marks.clear()
        if batch.children:
            self._store.keep_children(batch.children)
            batch.children.clear()

"""What was added here a short while ago is still there, and needs no look: a tree usually consists of it.

Sound by the second law of `retention`: it is written, or found to be used, within half of `FRESH` before it is noted, counts for
the other half, and not beyond an epoch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

from gitopsd.model.digest import Digest
from gitopsd.model.tree import File
from gitopsd.store import retention
from gitopsd.store.database import Database
from gitopsd.store.retention import Clock


@dataclass(frozen=True, slots=True)
class Mark:
    """When adding began."""

    time: int
    epoch: int


class Lately:
    """Files by when they were added. May be used by any number of threads."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now
        self._notes: list[tuple[Mark, Sequence[File]]] = []
        self._lock = Lock()

    def mark(self) -> Mark:
        """To be taken before the first is written."""
        with self._database.read() as connection:
            return Mark(self._now(), retention.epoch(connection))

    def note(self, mark: Mark, files: Sequence[File]) -> None:
        """All of these are written."""
        with self._lock:
            self._notes = [*self._valid(mark), (mark, files)]

    def take(self) -> Mapping[Digest, int]:
        """What is certainly there, with its size (bytes). It is told once: the tree that it was added for is made now."""
        now = self.mark()
        with self._lock:
            found = self._valid(now)
            self._notes = []
        return {file.digest: file.size for _, files in found for file in files}

    def _valid(self, now: Mark) -> list[tuple[Mark, Sequence[File]]]:
        return [
            (mark, files)
            for mark, files in self._notes
            if mark.epoch == now.epoch and 0 <= now.time - mark.time <= retention.FRESH // 2
        ]

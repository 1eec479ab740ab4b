"""Statuses and ledger rows on their way to the disk. A full disk ends no attempt and no process: what cannot be written is
kept, said, and written together with what comes next. It decides nothing about their content.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from gitopsd.model.errors import GitopsdError
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import LedgerRow

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

MOST_ROWS = 10_000
"""Rows that wait at most; beyond them the oldest are lost, each said in the log when it was new."""


class Records(Protocol):
    """The part of the store that is written here."""

    def append(self, row: LedgerRow) -> None:
        """Write one row of the ledger."""
        ...

    def keep_status(self, ref: ObjectRef, value: Mapping[str, Any]) -> None:
        """Replace the status of an object."""
        ...


class Journal:
    """Writes at once while the store can."""

    def __init__(self, store: Records, log: FilteringBoundLogger) -> None:
        self._store = store
        self._log = log
        self._rows: deque[LedgerRow] = deque(maxlen=MOST_ROWS)
        self._statuses: dict[ObjectRef, Mapping[str, Any]] = {}

    def note(self, ref: ObjectRef, *, status: Mapping[str, Any] | None, row: LedgerRow | None) -> None:
        """Write what came of an object, and all that waits. Never raises on account of the disk."""
        if status is not None:
            self._statuses[ref] = status
        if row is not None:
            self._rows.append(row)
        try:
            self._write()
        except GitopsdError as error:
            waiting = len(self._rows) + len(self._statuses)
            self._log.error(
                "kept in memory until it can be written", object=str(ref), waiting=waiting, problem=str(error)
            )

    def forget(self, ref: ObjectRef) -> None:
        """The object is gone; a status of it is not written any more."""
        self._statuses.pop(ref, None)

    def _write(self) -> None:
        while self._rows:
            self._store.append(self._rows[0])
            self._rows.popleft()
        for ref in tuple(self._statuses):
            self._store.keep_status(ref, self._statuses[ref])
            del self._statuses[ref]

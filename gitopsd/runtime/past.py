"""What the ledger says about objects, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import LedgerRow


class Ledger(Protocol):
    """The part of the store that is read here."""

    def ledger(self, limit: int, ref: ObjectRef | None = None) -> tuple[LedgerRow, ...]:
        """The latest rows, of one object or of all."""
        ...


def rows(ledger: Ledger, refs: Sequence[ObjectRef], limit: int) -> tuple[LedgerRow, ...]:
    """The latest `limit` rows about these objects, or about all where none is named."""
    if not refs:
        return ledger.ledger(limit)
    found = [row for ref in refs for row in ledger.ledger(limit, ref)]
    return tuple(sorted(found, key=lambda row: row.at, reverse=True)[:limit])

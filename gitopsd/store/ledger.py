"""The ledger: what changed, when, by whom and why. The one thing on this disk that is no cache.

It has a database of its own, so that nothing that befalls the cache takes it along. Rows are only ever appended, which the
tables themselves enforce.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import LedgerRow
from gitopsd.store.database import Database

_DECODER = msgspec.json.Decoder(LedgerRow)


def append(database: Database, rows: Sequence[LedgerRow]) -> None:
    """Write rows, all or none; they are on the disk when this returns."""
    encoded = [(str(row.ref), msgspec.json.encode(row)) for row in rows]
    with database.write() as connection:
        connection.executemany("INSERT INTO ledger (ref, body) VALUES (?, ?)", encoded)


def unknown(database: Database, rows: Sequence[LedgerRow]) -> tuple[LedgerRow, ...]:
    """Those of the rows that are not there yet, in their order."""
    with database.read() as connection:
        there = "SELECT 1 FROM ledger WHERE ref = ? AND body = ?"
        return tuple(
            row for row in rows if not connection.execute(there, (str(row.ref), msgspec.json.encode(row))).fetchone()
        )


def latest(database: Database, limit: int, ref: ObjectRef | None = None) -> tuple[LedgerRow, ...]:
    """The latest rows, the newest first; only those of `ref` where one is given."""
    where, values = ("WHERE ref = ?", (str(ref),)) if ref else ("", ())
    with database.read() as connection:
        rows = connection.execute(f"SELECT body FROM ledger {where} ORDER BY id DESC LIMIT ?", (*values, limit))
        return tuple(_DECODER.decode(body) for (body,) in rows)

"""What the ledger says about objects, the newest first, and how it puts down what people decide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from gitopsd.model.identity import ObjectRef
from gitopsd.model.inventory import Decision, Inventory
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


_DONE = {"approve": "approved", "suspend": "suspended", "resume": "resumed", "delete": "deletion asked for"}


def decisions(recorded: Iterable[Inventory], cluster: str) -> tuple[LedgerRow, ...]:
    """The decisions that a cluster has on record."""
    return tuple(decision(record.app, cluster, made) for record in recorded for made in record.decisions)


def decision(app: ObjectRef, cluster: str, made: Decision) -> LedgerRow:
    """A decision as the ledger has it: the same row whether it is noted when it is made, or found on record in the cluster."""
    words = " ".join(word for word in (_DONE.get(made.verb, made.verb), made.plan) if word)
    until = f" until {made.until:%Y-%m-%dT%H:%M:%SZ}" if made.until else ""
    return LedgerRow(
        at=made.at,
        ref=app,
        cluster=cluster,
        revision="",
        plan="",
        counts={made.verb: 1},
        actor=made.actor,
        reason=words + until + (f": {made.reason}" if made.reason else ""),
    )

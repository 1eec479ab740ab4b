"""What happened lately, in memory: numbered, so that whoever listens can ask for what came after. Nothing of it decides anything.

Only what is news is kept: an app that is looked at again and found as it was says nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from datetime import datetime

import anyio

from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import LedgerRow, Outcome
from gitopsd.runtime.shown.view import Happening

MOST = 5000


class Happenings:
    """The latest ones; older ones are forgotten. Belongs to one event loop."""

    def __init__(self) -> None:
        self._rows: deque[Happening] = deque(maxlen=MOST)
        self._last: dict[ObjectRef, tuple[str, str]] = {}
        self._news = anyio.Event()
        self._number = 0
        self._closed = False

    def close(self) -> None:
        """Let everybody go who waits, now and from now on: the process ends."""
        self._closed = True
        self._news.set()

    def outcome(self, outcome: Outcome) -> None:
        """An attempt under way or at its end; one that says what the last one said is no news unless it changed something."""
        said = (str(outcome.phase), outcome.message)
        counts = {str(action): number for action, number in outcome.changed.items()}
        if self._last.get(outcome.ref) == said and not counts:
            return
        self._last[outcome.ref] = said
        revision = outcome.applied or outcome.attempted
        self.note(
            at=outcome.finished,
            ref=outcome.ref,
            phase=str(outcome.phase),
            message=outcome.message,
            revision=str(revision or ""),
            changed=counts,
        )

    def decision(self, row: LedgerRow) -> None:
        """What a person decided, as the ledger has it."""
        for verb in row.counts:
            self.note(at=row.at, ref=row.ref, phase=verb, message=f"{row.reason} (by {row.actor})")

    def note(
        self,
        *,
        at: datetime,
        ref: ObjectRef,
        phase: str,
        message: str,
        revision: str = "",
        changed: dict[str, int] | None = None,
    ) -> None:
        """Keep one, and wake those who wait for it."""
        self._number += 1
        self._rows.append(
            Happening(
                number=self._number,
                at=at,
                ref=ref,
                phase=phase,
                message=message,
                revision=revision,
                changed=changed or {},
            )
        )
        self._news.set()
        self._news = anyio.Event()

    async def after(self, number: int, refs: Collection[ObjectRef], patience: float) -> Sequence[Happening]:
        """Those after this number, about `refs` (all when empty); waits up to `patience` seconds for the first one."""
        found: Sequence[Happening] = ()
        with anyio.move_on_after(patience):
            while not (found := self._found(number, refs)) and not self._closed:
                await self._news.wait()
        return found or self._found(number, refs)

    def _found(self, number: int, refs: Collection[ObjectRef]) -> Sequence[Happening]:
        return [row for row in self._rows if row.number > number and (not refs or row.ref in refs)]

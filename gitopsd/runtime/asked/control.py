"""What people and programs may ask of a running engine, in names and plain values: the same in this process and over a socket.

`LocalControl` (`local_control.py`) answers from an engine at hand, the command line's client from a daemon's socket. It is
apart from both, so that a command that asks a daemon loads no engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gitopsd.model.outcome import LedgerRow
from gitopsd.runtime.shown.view import (
    Branch,
    ClusterView,
    Happening,
    Link,
    LogLine,
    PlanView,
    Report,
    Stats,
    TraceStep,
    View,
)


class Control(Protocol):
    """Names are those that `Engine.find` understands. Every method may raise the errors of the gitopsd tree."""

    async def clusters(self) -> Sequence[ClusterView]:
        """The declared clusters."""
        ...

    async def views(self, names: Sequence[str] = ()) -> Sequence[View]:
        """The named objects; all when none is named."""
        ...

    async def tree(self, names: Sequence[str] = ()) -> Sequence[Branch]:
        """The named objects with what they applied and declared; all top-level objects when none is named."""
        ...

    async def reconcile(self, name: str, token: str) -> Sequence[Report]:
        """Look at the objects of this name now, and say what came of it."""
        ...

    async def plan(self, names: Sequence[str] = ()) -> PlanView:
        """What a reconcile of these apps, or of all, would do now; nothing is written."""
        ...

    async def approve(
        self, name: str, actor: str, reason: str, plan: str, until: datetime | None = None
    ) -> Sequence[View]:
        """Approve the deletions that wait; `plan` '' means whatever waits now. Holds until then."""
        ...

    async def suspend(self, name: str, actor: str, reason: str, until: datetime | None) -> Sequence[View]:
        """Leave these apps alone until resumed."""
        ...

    async def resume(
        self, name: str, actor: str = "", reason: str = "", until: datetime | None = None
    ) -> Sequence[View]:
        """End a suspension made by `suspend`; after `until` it is suspended again."""
        ...

    async def delete(
        self, name: str, token: str, actor: str = "", reason: str = "", until: datetime | None = None
    ) -> Sequence[Report]:
        """Delete these orphans with what they applied; what is not deleted by `until` is kept."""
        ...

    async def why(self, name: str) -> Sequence[Sequence[Link]]:
        """What the objects of this name wait for, a chain for each."""
        ...

    async def trace(self, name: str) -> Sequence[TraceStep]:
        """Where an object in a cluster comes from."""
        ...

    async def history(self, names: Sequence[str], limit: int) -> Sequence[LedgerRow]:
        """The latest rows of the ledger, the newest first; about the named objects only where some are named."""
        ...

    async def events(self, names: Sequence[str], after: int, patience: float) -> Sequence[Happening]:
        """What happened after that number; waits up to `patience` seconds for something."""
        ...

    async def logs(self, name: str, after: int) -> Sequence[LogLine]:
        """Lines of the log about the objects of this name."""
        ...

    async def stats(self) -> Stats:
        """The process in numbers."""
        ...

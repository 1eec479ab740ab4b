"""`Control` over the engine in this process: names become objects, outcomes become what is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from gitopsd.model.change import Action, Change
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import LedgerRow, Outcome
from gitopsd.runtime import past
from gitopsd.runtime.asked import foreseen, forest, last, stats, whatif
from gitopsd.runtime.asked.decisions import Decisions
from gitopsd.runtime.asked.whatif import Question
from gitopsd.runtime.engine import Engine
from gitopsd.runtime.shown import trace, why
from gitopsd.runtime.shown.lines import Lines
from gitopsd.runtime.shown.view import (
    Branch,
    ChangeView,
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


class LocalControl:
    """Answers from the engine in this process."""

    def __init__(self, engine: Engine, lines: Lines | None = None) -> None:
        self._engine = engine
        self._lines = lines
        self._decisions = Decisions(engine)

    async def clusters(self) -> Sequence[ClusterView]:
        """The declared clusters."""
        return self._engine.cluster_views()

    async def views(self, names: Sequence[str] = ()) -> Sequence[View]:
        """The named objects; all when none is named."""
        return [self._engine.view(ref) for ref in self._refs(names)] if names else self._engine.views()

    async def tree(self, names: Sequence[str] = ()) -> Sequence[Branch]:
        """The named objects, or all top-level ones, as trees."""
        return await forest.grown(self._engine, self._refs(names))

    async def reconcile(self, name: str, token: str) -> Sequence[Report]:
        """Look at the objects of this name now."""
        return [self._done(await self._engine.reconcile(ref, token)) for ref in self._engine.find(name)]

    async def plan(self, names: Sequence[str] = ()) -> PlanView:
        """Plan without writing."""
        return await whatif.asked(self._engine, Question(names=tuple(names)), foreseen.view)

    async def approve(
        self, name: str, actor: str, reason: str, plan: str, until: datetime | None = None
    ) -> Sequence[View]:
        """Approve the deletions that wait."""
        for ref in self._engine.find(name):
            await self._decisions.approve(ref, actor=actor, reason=reason, plan=plan, until=until)
        return await self.views([name])

    async def suspend(self, name: str, actor: str, reason: str, until: datetime | None) -> Sequence[View]:
        """Leave these apps alone."""
        for ref in self._engine.find(name):
            await self._decisions.suspend(ref, actor=actor, reason=reason, until=until)
        return await self.views([name])

    async def resume(
        self, name: str, actor: str = "", reason: str = "", until: datetime | None = None
    ) -> Sequence[View]:
        """End a suspension."""
        for ref in self._engine.find(name):
            await self._decisions.resume(ref, actor=actor, reason=reason, until=until)
        return await self.views([name])

    async def delete(
        self, name: str, token: str, actor: str = "", reason: str = "", until: datetime | None = None
    ) -> Sequence[Report]:
        """Delete apps."""
        refs, decide = self._engine.find(name), self._decisions.delete
        return [self._done(await decide(ref, token, actor=actor, reason=reason, until=until)) for ref in refs]

    async def why(self, name: str) -> Sequence[Sequence[Link]]:
        """The chains of these objects."""
        board = self._engine.board
        awaits = self._engine.scheduler.awaits
        return [why.chain(ref, self._look, board.intents, board.holding, awaits) for ref in self._engine.find(name)]

    async def trace(self, name: str) -> Sequence[TraceStep]:
        """From an object in a cluster to its source."""
        return trace.of(name, self._engine.board.inventories, self._look, self._engine.board.intents)

    async def history(self, names: Sequence[str], limit: int) -> Sequence[LedgerRow]:
        """Rows of the ledger."""
        await self._engine.written()
        return past.rows(self._engine.parts.store, self._refs(names), limit)

    async def events(self, names: Sequence[str], after: int, patience: float) -> Sequence[Happening]:
        """The latest happenings."""
        return await self._engine.happenings.after(after, frozenset(self._refs(names)), patience)

    async def logs(self, name: str, after: int) -> Sequence[LogLine]:
        """The latest lines."""
        objects = {str(ref) for ref in self._engine.find(name)}
        return self._lines.after(after, objects) if self._lines else ()

    async def stats(self) -> Stats:
        """The process in numbers."""
        return stats.of(self._engine)

    def _look(self, ref: ObjectRef) -> View | None:
        """An object as the last run left it; None for one that nothing declares and that owns nothing."""
        known = ref in self._engine.board.intents or ref in self._engine.board.inventories
        return last.view(self._engine, ref) if known else None

    def _refs(self, names: Sequence[str]) -> list[ObjectRef]:
        return [ref for name in names for ref in self._engine.find(name)]

    def _done(self, outcome: Outcome) -> Report:
        view = self._engine.view(outcome.ref)
        cluster = next(
            (c for c in self._engine.cluster_views() if c.name == view.cluster), ClusterView(name=view.cluster)
        )
        changes = outcome.plan.changes if outcome.plan else ()
        mask = self._engine.board.discretion(outcome.ref, self._engine.parts.ctx.masked)
        return Report(
            view=view,
            cluster=cluster.name,
            server=cluster.server,
            context=cluster.context,
            digest=outcome.plan.digest if outcome.plan else "",
            changes=tuple(_done(c, outcome, mask) for c in changes if c.action is not Action.UNCHANGED),
        )


def _done(change: Change, outcome: Outcome, mask: Callable[[str], str]) -> ChangeView:
    """One change that was carried out, or was to be. A server's refusal may quote what it was sent."""
    result = next((r for r in outcome.results if r.id == change.id), None)
    return ChangeView(
        action=str(change.action),
        kind=change.id.kind,
        namespace=change.id.namespace,
        name=change.id.name,
        reason=mask(change.reason),
        error=mask(str(result.error)) if result and result.error else "",
    )

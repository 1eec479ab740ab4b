"""What people and programs may ask of a running engine, in names and plain values: the same in this process and over a socket.

`Control` is the protocol; `LocalControl` answers from an engine at hand, the command line's client from a daemon's socket.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gitopsd.model.change import Action, Change
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Outcome
from gitopsd.runtime import foreseen, forest, whatif
from gitopsd.runtime.decisions import Decisions
from gitopsd.runtime.engine import Engine
from gitopsd.runtime.view import Branch, ChangeView, ClusterView, PlanView, Report, View
from gitopsd.runtime.whatif import Question


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

    async def approve(self, name: str, actor: str, reason: str, plan: str) -> Sequence[View]:
        """Approve the deletions that wait; `plan` '' means whatever waits now."""
        ...

    async def suspend(self, name: str, actor: str, reason: str, until: datetime | None) -> Sequence[View]:
        """Leave these apps alone until resumed."""
        ...

    async def resume(self, name: str) -> Sequence[View]:
        """End a suspension made by `suspend`."""
        ...

    async def delete(self, name: str, token: str) -> Sequence[Report]:
        """Delete these apps with what they applied, by their deletion policies."""
        ...


class LocalControl:
    """Answers from the engine in this process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
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

    async def approve(self, name: str, actor: str, reason: str, plan: str) -> Sequence[View]:
        """Approve the deletions that wait."""
        for ref in self._engine.find(name):
            await self._decisions.approve(ref, actor=actor, reason=reason, plan=plan)
        return await self.views([name])

    async def suspend(self, name: str, actor: str, reason: str, until: datetime | None) -> Sequence[View]:
        """Leave these apps alone."""
        for ref in self._engine.find(name):
            await self._decisions.suspend(ref, actor=actor, reason=reason, until=until)
        return await self.views([name])

    async def resume(self, name: str) -> Sequence[View]:
        """End a suspension."""
        for ref in self._engine.find(name):
            await self._decisions.resume(ref)
        return await self.views([name])

    async def delete(self, name: str, token: str) -> Sequence[Report]:
        """Delete apps."""
        return [self._done(await self._decisions.delete(ref, token)) for ref in self._engine.find(name)]

    def _refs(self, names: Sequence[str]) -> list[ObjectRef]:
        return [ref for name in names for ref in self._engine.find(name)]

    def _done(self, outcome: Outcome) -> Report:
        view = self._engine.view(outcome.ref)
        cluster = next(
            (c for c in self._engine.cluster_views() if c.name == view.cluster), ClusterView(name=view.cluster)
        )
        changes = outcome.plan.changes if outcome.plan else ()
        return Report(
            view=view,
            cluster=cluster.name,
            server=cluster.server,
            context=cluster.context,
            digest=outcome.plan.digest if outcome.plan else "",
            changes=tuple(_done(c, outcome) for c in changes if c.action is not Action.UNCHANGED),
        )


def _done(change: Change, outcome: Outcome) -> ChangeView:
    """One change that was carried out, or was to be."""
    result = next((r for r in outcome.results if r.id == change.id), None)
    return ChangeView(
        action=str(change.action),
        kind=change.id.kind,
        namespace=change.id.namespace,
        name=change.id.name,
        reason=change.reason,
        error=str(result.error) if result and result.error else "",
    )

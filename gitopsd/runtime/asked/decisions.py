"""What a person decides about an app: approve deletions, suspend, resume, delete. Kept in the cluster, beside its inventory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from gitopsd.model.declared import AppIntent
from gitopsd.model.errors import NotReady, UsageError
from gitopsd.model.identity import ObjectRef
from gitopsd.model.inventory import Approval, Decision, Inventory, Suspension
from gitopsd.model.outcome import Outcome
from gitopsd.reconcile import inventory, record, removal
from gitopsd.runtime import past
from gitopsd.runtime.engine import Engine
from gitopsd.runtime.schedule.wake import Reason


class Decisions:
    """Writes decisions down and has them looked at."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._board = engine.board
        self._world = engine.world

    async def approve(
        self, ref: ObjectRef, *, actor: str, reason: str = "", plan: str = "", until: datetime | None = None
    ) -> str:
        """Approve the deletions that wait (of the plan with this digest, when one is given); answers with the digest.

        What is not carried out before `until` needs another approval.
        """
        outcome = self._board.outcomes.get(ref) or await self._engine.reconcile(ref, "")
        refused = outcome.reason == removal.NOT_APPROVED
        waiting = outcome.plan.digest if refused and outcome.plan else ""
        if not waiting or (plan and plan != waiting):
            raise UsageError(f"{ref}: no such plan waits for an approval; `gitopsd diff {ref}` shows the plan of now")
        made = self._made("approve", actor, reason, until, plan=waiting)
        approval = Approval(plan=waiting, actor=actor, at=made.at, reason=reason, until=until)
        await self._decide(self._app(ref), made, lambda i: replace(i, approvals=(*i.approvals[-9:], approval)))
        self._engine.scheduler.wake(ref, Reason.RELEASED)
        return waiting

    async def suspend(self, ref: ObjectRef, *, actor: str, reason: str = "", until: datetime | None = None) -> None:
        """Leave the app alone until it is resumed or `until` has come."""
        made = self._made("suspend", actor, reason, until)
        held = Suspension(actor=actor, since=made.at, reason=reason, until=until)
        await self._decide(self._app(ref), made, lambda i: replace(i, suspension=held))
        self._engine.scheduler.wake(ref, Reason.REQUEST)

    async def resume(self, ref: ObjectRef, *, actor: str = "", reason: str = "", until: datetime | None = None) -> None:
        """End a suspension made by `suspend`; one in the object's own declaration stays. After `until` it is suspended again."""
        later = Suspension(actor=actor, since=until, reason=reason) if until else None
        await self._decide(
            self._app(ref), self._made("resume", actor, reason, until), lambda i: replace(i, suspension=later)
        )
        self._engine.scheduler.wake(ref, Reason.REQUEST)

    async def delete(
        self, ref: ObjectRef, token: str, *, actor: str = "", reason: str = "", until: datetime | None = None
    ) -> Outcome:
        """Delete an orphan with everything that it owns. What is declared would come back, so it is refused.

        What cannot be deleted at once is tried again, by the next process too, but not after `until`.
        """
        if self._world.safety.read_only:
            raise UsageError(f"{ref}: is not deleted: this gitopsd runs read-only")
        made = self._made("delete", actor, reason, until)
        if not made.holds(made.at):
            raise UsageError(
                f"{ref}: is not deleted: the time until which it may be has passed ({until:%Y-%m-%dT%H:%M:%SZ})"
            )
        if ref in self._board.intents and ref not in self._board.removals:
            raise UsageError(
                f"{ref}: its declaration brings it back ({self._board.declared[ref].place}); remove that first, "
                "or set gitopsd.io/delete: confirmed there, or leave the app alone with `gitopsd suspend`"
            )
        known = self._board.inventories.get(ref)
        if known is None:
            raise NotReady(f"{ref}: is not declared and owns nothing")
        by_itself = ref in self._board.intents and not known.removal  # a child that its parent lets go of
        app = self._app(ref) if ref in self._board.intents else self._engine.endings.intent(ref)
        await self._decide(app, made, lambda i: i if by_itself else replace(i, removal=made))
        self._engine.endings.begin(ref)
        self._engine.look_after(ref)
        return await self._engine.scheduler.request(ref, token)

    def _made(self, verb: str, actor: str, reason: str, until: datetime | None, *, plan: str = "") -> Decision:
        now = self._world.ctx.now()
        return Decision(verb=verb, actor=actor, at=now, reason=reason, until=until, plan=plan)

    def _app(self, ref: ObjectRef) -> AppIntent:
        intent = self._board.intents.get(ref)
        if not isinstance(intent, AppIntent):
            raise UsageError(f"{ref}: only apps can be suspended or approved here; for a source set spec.suspend")
        return intent

    async def _decide(self, app: AppIntent, made: Decision, change: Callable[[Inventory], Inventory]) -> None:
        """Write the decision into the app's record, then into the ledger."""
        target = await self._world.target(app)
        known = await record.read(app.ref, target, self._world)
        await record.written(known, lambda i: inventory.decided(change(i), made), target, self._world)
        self._engine.record(past.decision(app.ref, target.access.cluster, made))

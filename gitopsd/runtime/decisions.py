"""What a person decides about an app: approve deletions, suspend, resume, delete. Kept in the cluster, beside its inventory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from gitopsd.model.declared import AppIntent, Declared, Deletion, Place
from gitopsd.model.digest import Digest
from gitopsd.model.errors import NotReady, UsageError
from gitopsd.model.identity import ObjectRef
from gitopsd.model.inventory import Approval, Inventory, Suspension
from gitopsd.model.outcome import LedgerRow, Outcome
from gitopsd.reconcile import children, record, removal
from gitopsd.runtime import views
from gitopsd.runtime.engine import Engine
from gitopsd.runtime.wake import Reason


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
        approval = Approval(plan=waiting, actor=actor, at=self._world.ctx.now(), reason=reason, until=until)
        await self._rewrite(ref, lambda i: replace(i, approvals=(*i.approvals[-9:], approval)))
        self._decided(ref, "approve", actor, _words(f"approved {waiting}", reason, until))
        self._engine.scheduler.wake(ref, Reason.RELEASED)
        return waiting

    async def suspend(self, ref: ObjectRef, *, actor: str, reason: str = "", until: datetime | None = None) -> None:
        """Leave the app alone until it is resumed or `until` has come."""
        held = Suspension(actor=actor, since=self._world.ctx.now(), reason=reason, until=until)
        await self._rewrite(ref, lambda i: replace(i, suspension=held))
        self._decided(ref, "suspend", actor, _words("suspended", reason, until))
        self._engine.scheduler.wake(ref, Reason.REQUEST)

    async def resume(self, ref: ObjectRef, *, actor: str = "", reason: str = "", until: datetime | None = None) -> None:
        """End a suspension made by `suspend`; one in the object's own declaration stays. After `until` it is suspended again."""
        later = Suspension(actor=actor, since=until, reason=reason) if until else None
        await self._rewrite(ref, lambda i: replace(i, suspension=later))
        self._decided(ref, "resume", actor, _words("resumed", reason, until))
        self._engine.scheduler.wake(ref, Reason.REQUEST)

    async def delete(self, ref: ObjectRef, token: str, *, actor: str = "", reason: str = "") -> Outcome:
        """Delete an orphan with everything that it owns. What is declared would come back, so it is refused."""
        if self._world.safety.read_only:
            raise UsageError(f"{ref}: is not deleted: this gitopsd runs read-only")
        if ref not in self._board.intents:
            self._revive(ref)
        elif ref not in self._board.removals:
            raise UsageError(
                f"{ref}: its declaration brings it back ({self._board.declared[ref].place}); remove that first, "
                "or set gitopsd.io/delete: confirmed there, or leave the app alone with `gitopsd suspend`"
            )
        self._decided(ref, "delete", actor, _words("deletion asked for", reason, None))
        self._board.removals.add(ref)
        self._engine.look_after(ref)
        return await self._engine.scheduler.request(ref, token)

    def _decided(self, ref: ObjectRef, verb: str, actor: str, reason: str) -> None:
        """Keep who decided what and why."""
        now, cluster = self._world.ctx.now(), self._engine.view(ref).cluster
        counts = {verb: 1}
        self._engine.record(
            LedgerRow(at=now, ref=ref, cluster=cluster, revision="", plan="", counts=counts, actor=actor, reason=reason)
        )

    async def _rewrite(self, ref: ObjectRef, change: Callable[[Inventory], Inventory]) -> None:
        intent = self._board.intents.get(ref)
        if not isinstance(intent, AppIntent):
            raise UsageError(f"{ref}: only apps can be suspended or approved here; for a source set spec.suspend")
        target = await self._engine.world.target(intent)
        await record.written(await record.read(ref, target, self._world), change, target, self._world)

    def _revive(self, orphan: ObjectRef, parent: ObjectRef | None = None) -> None:
        """Give an orphan, and the orphans that it declared, an intent that only ends it."""
        if orphan not in self._board.inventories:
            raise NotReady(f"{orphan}: is not declared and owns nothing")
        self._board.declared[orphan] = Declared(
            ref=orphan, document={}, place=Place(file="(orphan)"), spec=Digest("orphan"), parent=parent
        )
        self._board.intents[orphan] = views.ending(orphan, Deletion.DELETE)
        for id in self._board.inventories[orphan].owned:
            child = children.ref(id)
            is_app = children.is_declared(id, self._world.registry) and child in self._board.inventories
            if is_app and child not in self._board.intents:
                self._revive(child, orphan)


def _words(what: str, reason: str, until: datetime | None) -> str:
    """A decision as the ledger has it."""
    return what + (f" until {until:%Y-%m-%dT%H:%M:%SZ}" if until else "") + (f": {reason}" if reason else "")

"""The engine: the declared set, the world that steps share, the workers and the clusters, put together and kept in step.

What it shows and is asked for goes through `control.py`; what people decide is in `decisions.py`. It decides nothing about
content.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from typing import Any

from anyio.abc import TaskGroup
from structlog.contextvars import bound_contextvars

from gitopsd.config.declared_set import DeclaredSet
from gitopsd.model.declared import AppIntent, Broken, SourceIntent, Unserved
from gitopsd.model.errors import Misconfigured
from gitopsd.model.identity import ObjectRef
from gitopsd.model.inventory import Inventory
from gitopsd.model.manifest import Manifest
from gitopsd.model.outcome import LedgerRow, Outcome, Phase
from gitopsd.model.tree import Revision
from gitopsd.plugin.roles import Target
from gitopsd.reconcile import app, conclude, foremost, source
from gitopsd.reconcile.claims import Claims
from gitopsd.reconcile.conclude import Run
from gitopsd.reconcile.remotes import Elsewhere
from gitopsd.reconcile.world import Board, World
from gitopsd.runtime import past, remembered
from gitopsd.runtime.endings import Endings
from gitopsd.runtime.family import Family
from gitopsd.runtime.journal import Journal
from gitopsd.runtime.live import recorded
from gitopsd.runtime.live.blind import Deaf
from gitopsd.runtime.live.clusters import Clusters
from gitopsd.runtime.parts import Parts
from gitopsd.runtime.schedule import scheduled
from gitopsd.runtime.schedule.attempt import Attempt
from gitopsd.runtime.schedule.scheduled import Scheduled
from gitopsd.runtime.schedule.scheduler import Scheduler
from gitopsd.runtime.schedule.wake import Reason
from gitopsd.runtime.shown import views, warned
from gitopsd.runtime.shown.happenings import Happenings
from gitopsd.runtime.shown.view import ClusterView, View


class Engine:
    """One running gitopsd. Belongs to the event loop and the task group that it was made in."""

    def __init__(self, tasks: TaskGroup, parts: Parts) -> None:
        self._parts = parts
        self._declared = DeclaredSet()
        self._statuses: dict[ObjectRef, Mapping[str, Any]] = dict(parts.store.statuses())
        self._journal = Journal(parts.store, parts.ctx.log)
        self._progress: dict[ObjectRef, Outcome] = {}
        self._only: set[ObjectRef] | None = None
        self.board = Board(polled=dict(parts.store.polls()))
        self.happenings = Happenings()
        self.family = Family(self.board, parts.registry, parts.store, self._journal if parts.persist else None)
        self.endings = Endings(self.board, parts.registry)
        self.clusters = Clusters(tasks, parts.connect, parts.ctx.credentials)
        self.scheduler = Scheduler(
            tasks,
            self._carry,
            on_outcome=self._concluded,
            now=parts.ctx.now,
            rng=parts.rng,
            pace=parts.pace,
            awaited=lambda ref: foremost.awaited(ref, self.board, self.scheduler.restless),
        )
        self.world = World(
            registry=parts.registry,
            store=parts.store,
            memory=self._journal,
            ctx=parts.ctx,
            safety=parts.safety,
            limits=parts.limits,
            slots=parts.slots,
            additive_ready=parts.additive_ready,
            decryption=parts.decryption,
            trust=parts.trust,
            board=self.board,
            statuses=self._statuses,
            claims=Claims(),
            elsewhere=Elsewhere(registry=parts.registry, store=parts.store, ctx=parts.ctx, fetches=parts.slots.fetch),
            mirror=parts.mirror,
            target=self.clusters.of,
            adopt_children=self._adopt_children,
            has_read=self._has_read,
            lookups=parts.lookups or Deaf(),
            wake=lambda ref, _why: self._wake(ref),
            progress=self._progressed,
        )

    @property
    def parts(self) -> Parts:
        """What it is made of."""
        return self._parts

    @property
    def files(self) -> DeclaredSet:
        """What the files declare at this moment."""
        return self._declared

    def children(self, parent: ObjectRef) -> tuple[ObjectRef, ...]:
        """The objects that an app's render declares, sorted."""
        return self.family.of(parent)

    # --- the declared set -------------------------------------------------------------------------------------------

    def declare(self, declared: DeclaredSet, *, work: bool = True) -> None:
        """Replace what the files declare; without `work` nobody looks at it, but for what is asked for by name.

        Apps whose declaration vanished are kept as orphans: nothing of theirs is pruned. Without that rule they end, each by
        its own deletion policy; one that is declared again in between lives on.
        """
        generations = self._parts.store.generations({ref: d.spec for ref, d in declared.objects.items()})
        gone = self._declared.objects.keys() - declared.objects.keys()
        again = bool(self._declared.objects)
        self.board.removals -= declared.objects.keys() - self._declared.objects.keys()
        self._declared = declared
        heirs = {heir for ref in gone for heir in self._orphan(ref)}
        for ref, document in declared.objects.items():
            self.board.declared[ref] = replace(document, generation=generations[ref])
            self.board.intents[ref] = declared.intents[ref]
        self.clusters.declare({name: (c.access, c.spec) for name, c in declared.clusters.items()})
        if work:
            self.clusters.begin(app.cluster for app in self.board.apps() if app.kubeconfig is None)
        self._only = None if work else self._only or set()
        self._schedule()
        self._pass_on(heirs)
        self._wake_holders(gone)
        self._moved(gone & self.board.removals)
        for reader in self.board.apps() if again else ():
            if reader.values or reader.kubeconfig or reader.decryption or self._parts.decryption.provider:
                self.scheduler.wake(reader.ref, Reason.VALUES)

    def _orphan(self, ref: ObjectRef) -> frozenset[ObjectRef]:
        """Keep what an app owns without the app, or begin its end; answers with the heirs of its claims.

        A suspended one is kept whatever the rule: somebody said that it is not to be touched.
        """
        owner = isinstance(self.board.intents.get(ref), AppIntent) and ref in self.board.inventories
        suspended = views.suspended(ref, self.board, self._parts.ctx.now())
        if owner and not suspended and not self._parts.safety.orphan_vanished:
            self.board.removals.add(ref)
            return frozenset()
        self.board.intents.pop(ref, None)
        if owner:
            self._statuses.setdefault(ref, {})
        else:
            self._forget(ref)
        self.board.holding.pop(ref, None)
        return self.world.claims.release(ref)

    def _pass_on(self, heirs: Iterable[ObjectRef]) -> None:
        """Wake those who hold now what they waited for."""
        for heir in heirs:
            self.board.standing.pop(heir, None)
            self.scheduler.wake(heir, Reason.RELEASED)

    def _forget(self, ref: ObjectRef) -> None:
        self.board.forget(ref)
        self._statuses.pop(ref, None)
        self.family.forget(ref)
        self._journal.forget(ref)
        if self._parts.watches:
            self._parts.watches.forget(ref)
        if self._parts.lookups:
            self._parts.lookups.forget(ref)

    def _schedule(self) -> None:
        at_work = {ref: intent for ref, intent in self.board.intents.items() if ref not in self.family.remembered}
        every = {ref: Scheduled.of(self.board.declared[ref], intent) for ref, intent in at_work.items()}
        self.scheduler.declare(every.values() if self._only is None else scheduled.needed(every, self._only))

    def look_after(self, ref: ObjectRef) -> None:
        """Make sure that somebody looks at this object, and at what it waits for."""
        if self._only is not None:
            self._only.add(ref)
        self._schedule()

    def _wake(self, ref: ObjectRef) -> None:
        self._employ({ref} & self.board.removals)
        self.scheduler.wake(ref, Reason.RELEASED)

    def _employ(self, children: Set[ObjectRef]) -> None:
        """Have remembered children looked at."""
        if self.family.employ(children):
            self._schedule()

    def _employ_children(self, parent: ObjectRef) -> None:
        """A parent that was looked at and said nothing of a child (suspended, broken, not allowed to end it) leaves it as it was."""
        self._employ({child for child in self.family.remembered if self.board.declared[child].parent == parent})

    def _adopt_children(self, parent: ObjectRef, manifests: tuple[Manifest, ...]) -> tuple[str, ...]:
        if not self.family.concerns(parent, manifests):
            return ()  # most apps: of a thousand, none should go through the other thousand
        broken = self.family.adopt(parent, manifests, self._declared)
        self._schedule()
        return broken

    def _has_read(self, parent: ObjectRef, revision: Revision) -> None:
        if self.family.has_read(parent, revision):
            self.scheduler.release(parent)

    # --- attempts ---------------------------------------------------------------------------------------------------

    async def _carry(self, attempt: Attempt) -> Outcome:
        """One attempt; every line of it names its cluster and revision, as the worker's lines name the object."""
        with bound_contextvars(**views.line(attempt.ref, self._cluster(attempt.ref), self.board)):
            self._parts.ctx.log.debug("looking", because=sorted(attempt.reasons))
            return self.board.discreet(self._parts.ctx.masked, await self._attempted(attempt))

    async def _attempted(self, attempt: Attempt) -> Outcome:
        token = attempt.tokens[-1] if attempt.tokens else ""
        now = self._parts.ctx.now()
        run = Run(declared=self.board.declared[attempt.ref], started=now, token=token)
        match self.board.intents[attempt.ref]:
            case SourceIntent() | Unserved() | Broken() if attempt.ref in self.board.removals:
                return conclude.deleted(run, now)
            case SourceIntent():
                first = self._parts.resume and attempt.unasked and attempt.ref not in self.board.outcomes
                return await source.attempt(attempt.ref, self.world, token=token, resume=first)
            case AppIntent():
                fresh = Reason.CHECK in attempt.reasons
                return await app.attempt(
                    attempt.ref, self.world, superseded=attempt.superseded, token=token, fresh=fresh
                )
            case Broken(message=message):
                return conclude.failed(run, Misconfigured(message, reason="Broken"), now)
        return conclude.unserved(run, now)

    def _progressed(self, outcome: Outcome) -> None:
        outcome = self.board.discreet(self._parts.ctx.masked, outcome)
        self._progress[outcome.ref] = outcome
        self.happenings.outcome(outcome)
        self._parts.on_outcome(outcome)

    def _concluded(self, outcome: Outcome) -> None:
        ref, outcome = outcome.ref, self.board.discreet(self._parts.ctx.masked, outcome)
        self._progress.pop(ref, None)
        self.board.outcomes[ref] = outcome
        self.happenings.outcome(outcome)
        row = conclude.ledger(outcome, cluster=self._cluster(ref), actor=self._parts.actor)
        status = self._status(outcome)
        if self._parts.persist:
            self._journal.note(ref, status=status, row=row, polled=self.board.polled.get(ref))
        with bound_contextvars(**views.line(ref, self._cluster(ref), self.board)):
            self._parts.on_outcome(outcome)
        self._wake_holders({ref})
        if outcome.phase is Phase.DELETED:
            self._ended(ref)
        self._employ_children(ref)
        self._moved(self.endings.heard(outcome))

    def _moved(self, orphans: Set[ObjectRef]) -> None:
        if orphans:
            self._schedule()
        for ref in orphans:
            self.scheduler.wake(ref, Reason.REQUEST)

    def record(self, decision: LedgerRow) -> None:
        """A person decided something: it goes into the ledger, and who listens hears of it."""
        self.happenings.decision(decision)
        self._journal.note(decision.ref, status=None, row=decision)

    def _status(self, outcome: Outcome) -> Mapping[str, Any] | None:
        """The object's new status; None for one that has none."""
        declared = self.board.declared.get(outcome.ref)
        kind = self._parts.registry.kind_named(outcome.ref.kind)
        if declared is None or kind is None or outcome.phase is Phase.UNSERVED:
            return None
        before = self._statuses.get(outcome.ref, {})
        status = warned.status(kind.status(declared, outcome, before), outcome, before)
        self._statuses[outcome.ref] = status
        return status

    def _wake_holders(self, moved: Set[ObjectRef]) -> None:
        """Apps whose deletions wait for one of these look again; no others: holders that woke each other would never rest."""
        for holder, awaited in tuple(self.board.holding.items()):
            if awaited & moved:
                self.scheduler.wake(holder, Reason.RELEASED)

    def _ended(self, ref: ObjectRef) -> None:
        """A deleted app leaves; its parent may now let go of it."""
        declared = self.board.declared.get(ref)
        self.board.removals.discard(ref)
        self._leave_children(ref)
        if declared is not None and declared.parent is None and ref in self._declared.objects:
            return
        self._forget(ref)
        self._schedule()
        if declared is not None and declared.parent is not None:
            self.scheduler.wake(declared.parent, Reason.RELEASED)

    def _leave_children(self, parent: ObjectRef) -> None:
        """What still stands when a parent has ended was kept on purpose: orphans, as their objects are."""
        for child in self.family.leave(parent):
            declared = self.board.declared.get(child)
            if child in self.board.intents and declared is not None and declared.parent == parent:
                self._pass_on(self._orphan(child))
                self._leave_children(child)
        self._schedule()

    def _cluster(self, ref: ObjectRef) -> str:
        return views.cluster(self.board.intents.get(ref), tuple(self._declared.clusters))

    async def loaded(self, target: Target, inventories: Iterable[Inventory]) -> None:
        """A cluster was reached: take over what is recorded there, apps in the order of their names.

        Raises `Rejected` for a server that only says that it is a cluster which is known.
        """
        for impostor in await self.clusters.unmask(target):
            for misled in [intent.ref for intent in self.board.apps() if intent.kubeconfig == impostor]:
                self._pass_on(self.world.claims.release(misled))
        self.board.names[target.uid] = target.access.cluster
        await self._journal.know(target.uid)
        found = sorted(
            (i for i in inventories if self.clusters.speaks_for(target, self.board.intents.get(i.app))),
            key=lambda i: i.app,
        )
        here = target.access.cluster in self._declared.clusters and all(i.cluster_uid == target.uid for i in found)
        if here and not self._parts.safety.read_only:  # who may not write holds no lease: another one may be at work
            self.board.listed.add(target.uid)
        recorded.take_over(
            found,
            target,
            self.world,
            self._parts.watches,
            lambda app: self.clusters.named(target, self.board.intents.get(app)),
        )
        remembered.children(found, self.family, self.world, self._declared)
        if not self._parts.safety.read_only:
            await self._journal.recall(past.decisions(found, target.access.cluster))
            self._moved(self.endings.recall(found, self._parts.ctx.now()))

    def forget_unread(self) -> None:
        """Let go of what renders read from elsewhere once, and read no more."""
        self.world.elsewhere.forget_others({r for made in self.board.renders.values() for r in made.outline.remotes})

    async def check_all(self, every: float) -> None:
        """The safety net below the watches: look at every app once in `every` seconds. Never returns."""
        if self._parts.watches:
            await self._parts.watches.check(every)

    # --- what people ask --------------------------------------------------------------------------------------------

    def views(self) -> tuple[View, ...]:
        """Every declared object and every orphan, sorted."""
        refs = {*self.board.intents, *(ref for ref in self.board.inventories if ref not in self.board.intents)}
        return tuple(self.view(ref) for ref in sorted(refs))

    def view(self, ref: ObjectRef) -> View:
        """One object as it stands."""
        outcome = self._progress.get(ref) or self.board.outcomes.get(ref)
        shown = views.of(ref, self.board, outcome, self._statuses.get(ref, {}))
        suspended = views.suspended(ref, self.board, self._parts.ctx.now())
        return replace(shown, suspended=suspended, cluster=self._cluster(ref), due=self.scheduler.due_in(ref))

    def cluster_views(self) -> tuple[ClusterView, ...]:
        """The declared clusters and how they are reached."""
        return views.clusters(self._declared.clusters, [target.access for target in self.clusters.connected])

    def find(self, name: str) -> tuple[ObjectRef, ...]:
        """The objects that a person means by a name. Raises `UsageError` for none."""
        return views.find(name, [v.ref for v in self.views()], self._parts.registry)

    async def reconcile(self, ref: ObjectRef, token: str) -> Outcome:
        """Look at an object now and answer with what came of it; at first only when what it waits for was looked at."""
        self.board.standing.pop(ref, None)
        self.look_after(ref)
        if ref in self.board.intents and ref not in self.board.outcomes:
            outcome = (await self.once([ref]))[ref]
            if outcome.retry_after is None or outcome.phase is not Phase.READY:
                return outcome  # else it went on from what an earlier run stored
        return await self.scheduler.request(ref, token)

    async def once(self, refs: Iterable[ObjectRef] = ()) -> Mapping[ObjectRef, Outcome]:
        """Wait until all that is declared (or these and what they wait for) rests. The caller brings the time-out."""
        return await self.scheduler.settle(refs)

    async def reached(self) -> None:
        """Wait until every declared cluster was reached, so that what is recorded there is known. Raises what that met."""
        for name in self._declared.clusters:
            await self.clusters.target(name)

    async def keep_journal(self) -> None:
        """Write down what comes of objects, as it comes. Never returns."""
        await self._journal.run()

    async def written(self) -> None:
        """Have everything on the disk that was noted so far."""
        await self._journal.flush()

    async def stop(self, grace: float = 10.0) -> None:
        """End all workers, running writes within `grace` seconds, and write down what came of them."""
        await self.scheduler.stop(grace)
        await self._journal.flush()

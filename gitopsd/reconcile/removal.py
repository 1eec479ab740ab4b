"""What is no longer wanted: pruning within a reconcile, and the end of a whole app. Prune never waits inside a reconcile.

The decisions are `prune`'s; here they are given their ground and carried out, in reverse order of the stages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from gitopsd.model.change import Action, Change, Live, Result
from gitopsd.model.declared import AppIntent, Deletion, HealthCheck, Treatment
from gitopsd.model.errors import Conflict, GitopsdError, NotReady
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.inventory import Inventory
from gitopsd.model.manifest import Manifest
from gitopsd.model.outcome import Phase, Step
from gitopsd.plugin.roles import Target
from gitopsd.reconcile import apply, children, inventory, look, plan, prune, record
from gitopsd.reconcile.claims import HOME
from gitopsd.reconcile.conclude import Run
from gitopsd.reconcile.prune import Budget, Ground
from gitopsd.reconcile.world import World

NOT_APPROVED = "DeletionNotApproved"


async def pruned(
    intent: AppIntent, wanted: frozenset[ResourceId], run: Run, target: Target, world: World, *, plan_only: bool
) -> tuple[Change, ...]:
    """Delete what is owned and not wanted, as far as the rules allow; returns a change for each such id."""
    assert run.inventory is not None
    owned = run.inventory
    if not set(owned.owned) - wanted:
        return ()
    late = _hold_is_over(intent, world)
    ending = _ending(set(owned.owned) - wanted, world)
    others = _others(intent, run, world, ending=ending)
    waiting = () if late else others
    ground = await _ground(intent, owned, wanted, target, world, waiting=waiting)
    changes = prune.unwanted(owned, wanted, ground)
    budget = replace(await _budget(changes, target, world), overdue=others if late else ())
    ground = _as_claimed_now(ground, owned, target, world)
    changes = prune.unwanted(owned, wanted, ground)
    run.waits_for = prune.awaited(changes, ground)
    note_holds(run, world)
    if _others(intent, run, world, ending=ending) != others:  # its news came while the cluster was asked
        world.wake(intent.ref, "an app that it waited for has rendered")
    approved = _approved(plan.of(intent.ref, target.uid, changes).digest, intent, owned, world.ctx.now())
    changes = prune.budgeted(changes, owned, ground, budget, approved=approved)
    if not plan_only:
        await _delete(changes, run, target, world)
    return changes


def _as_claimed_now(ground: Ground, owned: Inventory, target: Target, world: World) -> Ground:
    """The ground with what other apps came to want while the cluster was asked: from here to the deletion nothing waits."""
    movers = {**ground.movers, **_movers(ground.app, owned.owned, target, world)}
    return replace(ground, movers=movers, tracked=_tracked(movers, world))


def note_holds(run: Run, world: World) -> None:
    """Put down whom the app's held deletions wait for, so that it is woken by them."""
    app = run.declared.ref
    if run.waits_for:
        world.board.holding[app] = run.waits_for
    else:
        world.board.holding.pop(app, None)


async def removed(intent: AppIntent, run: Run, target: Target, world: World) -> None:
    """The end of an app: its objects go or stay as its deletion policy says, then its record goes.

    Whoever asked for it has approved it; objects that another app wants, or that are not ours any more, stay all the same.
    """
    assert run.inventory is not None
    run.step = Step.PRUNE
    _let_go(intent.ref, world)
    if not _keeps(intent):
        await _all_deleted(intent, run, target, world)
    run.step = Step.FORGET
    try:
        await target.discard(run.inventory)
    except Conflict:
        world.board.inventories.pop(intent.ref, None)  # somebody wrote it: the next attempt reads it again
        world.board.listed.discard(target.uid)
        raise
    world.memory.forget(intent.ref)
    board = world.board
    board.records.get(intent.ref, {}).pop(target.uid, None)
    for table in (board.inventories, board.renders, board.standing, board.holding):
        table.pop(intent.ref, None)


def _let_go(app: ObjectRef, world: World) -> None:
    """The app wants nothing any more; who waited for what it held looks again."""
    for heir in world.claims.release(app):
        world.board.standing.pop(heir, None)
        world.wake(heir, f"{app} let go of what it wants")


async def planned(intent: AppIntent, run: Run, target: Target, world: World) -> None:
    """What the end of the app would do; nothing is written."""
    _let_go(intent.ref, world)
    run.plan = plan.of(intent.ref, target.uid, () if _keeps(intent) else await _all(intent, run, target, world))
    note_holds(run, world)
    foreseen(run, world)


def foreseen(run: Run, world: World) -> None:
    """In a plan: the children that it ends are planned by their own rules, as they would end by them."""
    assert run.plan is not None
    for change in run.plan.changes:
        ref = children.ref(change.id)
        ends = change.action is Action.DELETE and children.is_declared(change.id, world.registry)
        if ends and ref in world.board.intents and ref not in world.board.removals:
            world.board.removals.add(ref)
            world.wake(ref, f"no longer declared by {run.declared.ref}")


async def _all(intent: AppIntent, run: Run, target: Target, world: World) -> tuple[Change, ...]:
    """A change for everything that the app owns."""
    assert run.inventory is not None
    nothing: frozenset[ResourceId] = frozenset()
    ground = await _ground(intent, run.inventory, nothing, target, world, ending=True)
    changes = prune.unwanted(run.inventory, nothing, ground)
    run.waits_for = prune.awaited(changes, ground)
    return changes


def _keeps(intent: AppIntent) -> bool:
    return intent.deletion is Deletion.ORPHAN or (intent.deletion is Deletion.MIRROR_PRUNE and not intent.prune)


async def _all_deleted(intent: AppIntent, run: Run, target: Target, world: World) -> None:
    assert run.inventory is not None
    changes = await _all(intent, run, target, world)
    run.plan = plan.of(intent.ref, target.uid, changes)
    note_holds(run, world)
    await _delete(changes, run, target, world)
    if intent.deletion is Deletion.WAIT:
        await _gone(changes, run, target)
    run.inventory = await record.written(
        run.inventory, lambda i: inventory.after(i, changes, run.results), target, world
    )
    error = _first(run.results.values()) or _unread(changes)
    if error is not None:
        raise error
    waiting = [c for c in changes if c.action is Action.HOLD and c.reason != prune.TERMINATING]
    if waiting:
        names = ", ".join(f"{c.id}: {c.reason}" for c in waiting[:3])
        raise NotReady(f"{intent.ref}: waits for {names}", reason="Terminating")


async def _gone(changes: Iterable[Change], run: Run, target: Target) -> None:
    """Wait until what was deleted, now or by an attempt before, is not there any more. The attempt's time-out ends it."""
    sent = [c for c in changes if c.live is not None and (_was_deleted(c, run) or c.reason == prune.TERMINATING)]
    run.pending = left = {c.id: c.live.uid for c in sent if c.live is not None}
    if not left:
        return
    checks = [HealthCheck(id=c.id, version=c.live.version) for c in sent if c.live is not None]
    async with target.follow(checks) as seen:
        async for event in seen:
            if event.id in left and (event.live is None or event.live.uid != left[event.id]):
                del left[event.id]
            if not left:
                return


def _was_deleted(change: Change, run: Run) -> bool:
    result = run.results.get(change.id)
    return change.action is Action.DELETE and result is not None and result.error is None


async def _ground(
    intent: AppIntent,
    owned: Inventory,
    wanted: frozenset[ResourceId],
    target: Target,
    world: World,
    *,
    waiting: tuple[ObjectRef, ...] = (),
    ending: bool = False,
) -> Ground:
    unwanted = [entry for id, entry in owned.owned.items() if id not in wanted]
    ours = {id: _objects(id, world) for id in owned.owned if children.is_declared(id, world.registry)}
    seen = await look.at([(e.id, e.version) for e in unwanted if e.id not in ours], target)
    movers = _movers(intent.ref, (e.id for e in unwanted), target, world)
    return Ground(
        app=intent.ref,
        enabled=intent.prune or ending,
        live=seen.live,
        unread=seen.unread,
        treatments={**_treatments(intent, seen.live, world), **_treatments_of_children(intent, ours, world)},
        movers=movers,
        tracked=_tracked(movers, world),
        waiting=waiting,
        children=ours,
    )


def _treatments(intent: AppIntent, live: Mapping[ResourceId, Live], world: World) -> Mapping[ResourceId, Treatment]:
    kind = world.registry.kind_named(intent.ref.kind)
    return {id: kind.treatment(intent, id, seen.body) for id, seen in live.items()} if kind else {}


def _treatments_of_children(
    intent: AppIntent, ours: Iterable[ResourceId], world: World
) -> Mapping[ResourceId, Treatment]:
    """Markers on declared objects; what a file or another app declares is not ours to end."""
    kind = world.registry.kind_named(intent.ref.kind)
    found: dict[ResourceId, Treatment] = {}
    for id in ours:
        declared = world.board.declared.get(children.ref(id))
        if declared is None or kind is None:
            continue
        if declared.parent != intent.ref:
            found[id] = Treatment(keep=True, why=f"it is declared in {declared.place}")
        else:
            found[id] = kind.treatment(intent, id, declared.document)
    return found


def _movers(app: ObjectRef, ids: Iterable[ResourceId], target: Target, world: World) -> Mapping[ResourceId, ObjectRef]:
    """Other apps that want these now."""
    found: dict[ResourceId, ObjectRef] = {}
    for id in ids:
        holder = world.claims.holder(HOME if children.is_declared(id, world.registry) else target.uid, id)
        if holder is not None and holder != app:
            found[id] = holder
    return found


def _tracked(movers: Mapping[ResourceId, ObjectRef], world: World) -> frozenset[ResourceId]:
    if world.safety.read_only:  # nobody will ever write it down: a plan takes it as done
        return frozenset(movers)
    return frozenset(id for id, holder in movers.items() if _tracks(holder, id, world))


def _tracks(app: ObjectRef, id: ResourceId, world: World) -> bool:
    record = world.board.inventories.get(app)
    return record is not None and id in record.owned


def _objects(child: ResourceId, world: World, above: frozenset[ResourceId] = frozenset()) -> int:
    """How many objects go with a declared object: those of its own record and of its children's, or itself."""
    known = world.board.inventories.get(children.ref(child))
    if known is None or not known.owned or child in above:
        return 1
    above |= {child}
    return sum(_objects(id, world, above) if children.is_declared(id, world.registry) else 1 for id in known.owned)


def _hold_is_over(intent: AppIntent, world: World) -> bool:
    artifact = world.board.artifacts.get(intent.source)
    return artifact is not None and world.ctx.now() - artifact.stored > world.safety.hold_timeout


def _others(intent: AppIntent, run: Run, world: World, *, ending: frozenset[ObjectRef]) -> tuple[ObjectRef, ...]:
    """Apps of the same source and cluster that have not rendered this revision, and are not about to end."""
    renders = world.board.renders
    others = [
        (app.ref, app.source, str(made.revision) if (made := renders.get(app.ref)) else None)
        for app in world.board.apps()
        if (app.cluster, app.kubeconfig) == (intent.cluster, intent.kubeconfig) and app.ref not in ending
    ]
    return prune.holders(intent.ref, intent.source, str(run.attempted), others)


def _ending(unwanted: Iterable[ResourceId], world: World) -> frozenset[ObjectRef]:
    """Children that are no longer wanted, and theirs: they will not render any more, so nobody waits for that."""
    ending = {children.ref(id) for id in unwanted if children.is_declared(id, world.registry)} | world.board.removals
    while ending:
        below = {ref for ref, declared in world.board.declared.items() if declared.parent in ending} - ending
        if not below:
            break
        ending |= below
    return frozenset(ending)


async def _budget(changes: Sequence[Change], target: Target, world: World) -> Budget:
    collateral = {}
    if world.safety.collateral:
        for change in changes:
            if (
                change.action is Action.DELETE
                and change.live
                and change.id.kind in {"Namespace", "CustomResourceDefinition"}
            ):
                collateral[change.id] = await target.collateral(change.live)
    return Budget(mass_deletion=world.safety.mass_deletion, volumes=world.safety.volumes, collateral=collateral)


def _approved(digest: str, intent: AppIntent, owned: Inventory, now: datetime) -> bool:
    return digest in intent.policy.approved or any(a.plan == digest and a.holds(now) for a in owned.approvals)


async def _delete(changes: Sequence[Change], run: Run, target: Target, world: World) -> None:
    """Children by their own rules, the rest by DELETE: what was applied last goes first."""
    for change in changes:
        if change.action is Action.DELETE and children.is_declared(change.id, world.registry):
            _end_child(change, run, world)
    rest = [c for c in changes if c.action is Action.DELETE and c.id not in run.results]
    world.mirror.writing(target.access.cluster, [c.id for c in rest])
    for batch in _reversed(rest, target):
        await apply.carried_out(batch, run.declared.ref, target, run.results)


def _reversed(changes: Sequence[Change], target: Target) -> list[list[Change]]:
    by_id = {c.id: c for c in changes}
    stages = target.stages([Manifest.of(c.live.body) for c in changes if c.live is not None])
    return [[by_id[m.id] for m in reversed(stage.manifests)] for stage in reversed(stages)]


def _end_child(change: Change, run: Run, world: World) -> None:
    """Start a child's own deletion; its id leaves our record once it is gone."""
    ref = children.ref(change.id)
    known = world.board.outcomes.get(ref)
    if ref not in world.board.intents or (known is not None and known.phase is Phase.DELETED):
        run.results[change.id] = Result(id=change.id, action=Action.DELETE)
        return
    world.board.removals.add(ref)
    world.wake(ref, f"no longer declared by {run.declared.ref}")
    run.results[change.id] = Result(
        id=change.id, action=Action.DELETE, error=NotReady(f"{run.declared.ref}: waits for the deletion of {ref}")
    )


def complain(intent: AppIntent, run: Run) -> None:
    """Raise what a run with unfinished deletions concludes with: refused ones first, then failed ones.

    Held deletions are no error: the app is what its revision says; the render that they wait for wakes it.
    """
    assert run.plan is not None
    refused = [c for c in run.plan.changes if c.deletion and c.action is Action.REFUSE]
    if refused:
        names = ", ".join(str(c.id) for c in refused[:3]) + (
            f" and {len(refused) - 3} more" if len(refused) > 3 else ""
        )
        raise NotReady(
            f"{intent.ref}: {refused[0].reason} ({names}). Everything else was applied. To allow it: "
            f"gitopsd approve {intent.ref.kind}/{intent.ref.namespace}/{intent.ref.name}, or in Git the annotation "
            f"gitopsd.io/approve: {run.plan.digest}",
            reason=NOT_APPROVED,
        )
    error = _first(run.results.values()) or _unread(run.plan.changes)
    if error is not None:
        raise error


def _unread(changes: Iterable[Change]) -> GitopsdError | None:
    return next((c.error for c in changes if c.deletion and c.unread), None)


def _first(results: Iterable[Result]) -> GitopsdError | None:
    return next((r.error for r in results if r.error is not None), None)

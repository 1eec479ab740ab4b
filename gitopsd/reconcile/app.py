"""One attempt at an app, readable from top to bottom: every step of the architecture page in its order.

    artifact -> render -> require -> remember -> stages (stage.py) -> prune (removal.py) -> forget -> gate -> conclude

Dying at any await is safe: the record in the cluster is grown before the first write and shrunk after the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import anyio
from anyio.lowlevel import checkpoint

from gitopsd.model.change import Action, Change
from gitopsd.model.declared import AppIntent, DriftPolicy, HealthCheck
from gitopsd.model.errors import GitopsdError, Misconfigured, Transient, Unsupported
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.inventory import Inventory
from gitopsd.model.manifest import Manifest
from gitopsd.model.outcome import Outcome, Step
from gitopsd.model.tree import Artifact
from gitopsd.plugin.roles import Target
from gitopsd.reconcile import (
    children,
    conclude,
    gate,
    health,
    inventory,
    judge,
    plan,
    ready,
    record,
    removal,
    render,
    require,
    stage,
)
from gitopsd.reconcile.conclude import Run
from gitopsd.reconcile.judge import Judge
from gitopsd.reconcile.world import Render, Standing, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an app wants now: the objects for the cluster, the declared objects for us, and whose they are already."""

    render: Render
    manifests: tuple[Manifest, ...]
    declared: tuple[Manifest, ...]
    taken: Mapping[ResourceId, ObjectRef]
    ids: frozenset[ResourceId]
    """Everything wanted."""

    @property
    def checks(self) -> tuple[HealthCheck, ...]:
        """The objects in the cluster, with the versions in which they are written."""
        return tuple(HealthCheck(id=m.id, version=m.version, ends=health.ends(m)) for m in self.manifests)


async def attempt(
    ref: ObjectRef,
    world: World,
    *,
    superseded: anyio.Event,
    token: str = "",
    fresh: bool = False,
) -> Outcome:
    """Make the cluster equal to what the app's source says now, and conclude. In a world that is read-only it is planned only.

    `fresh` looks at everything in the cluster itself, whatever watches say.
    """
    intent = world.board.intents[ref]
    assert isinstance(intent, AppIntent)
    run = Run(
        declared=world.board.declared[ref], started=world.ctx.now(), token=token, warnings=intent.warnings, fresh=fresh
    )
    try:
        return await _attempt(intent, run, world, superseded)
    except TimeoutError:
        return conclude.failed(run, _late(intent, run), world.ctx.now())
    except GitopsdError as error:
        return conclude.failed(run, error, world.ctx.now())


def _late(intent: AppIntent, run: Run) -> Transient:
    names = ", ".join(map(str, sorted(run.pending)[:3]))
    waits = f", which waits for {names} to be gone; look at what its finalizers wait for" if names else ""
    return Transient(
        f"{intent.ref}: not finished within {intent.timeout.total_seconds():g} s, at step {run.step}{waits}"
    )


async def _attempt(intent: AppIntent, run: Run, world: World, superseded: anyio.Event) -> Outcome:
    plan_only = world.safety.read_only
    removing = intent.ref in world.board.removals or intent.policy.delete_confirmed
    offered = world.board.artifacts.get(intent.source)  # of this moment: who reads before this app has read it
    untouched = not removing and intent.ref not in world.board.despite
    if untouched and conclude.held_in_git(intent, run, world.ctx.now()):
        await _spared(intent, world)
        return conclude.suspended(run, world.ctx.now())
    with anyio.fail_after(intent.timeout.total_seconds()):
        target = await _connected(intent, run, world, removing=removing)
        run.inventory = await record.read(intent.ref, target, world)
        run.warnings += record.left_behind(intent.ref, target.uid, world)
        if not removing:
            run.inventory = await _not_to_end(run.inventory, target, world)
        run.suspension = run.inventory.held(world.ctx.now())
        if run.suspension and untouched:
            return conclude.suspended(run, world.ctx.now())
        if removing and run.inventory.removal and not run.inventory.removal.holds(world.ctx.now()):
            return conclude.lapsed(run, world.ctx.now())
        if removing and plan_only:
            await removal.planned(intent, run, target, world)
            return conclude.would_change(run, world.ctx.now())
        if removing:
            await removal.removed(intent, run, target, world)
            return conclude.deleted(run, world.ctx.now())
        made, artifact, fresh = await _made(intent, run, offered, world)
        wanted = None
        if not _stands(intent, made, run, target, world):
            wanted = await _wanted(intent, artifact, made, fresh, target, world)
        # in one go with the claims: whoever prunes takes the app's word for both
        world.board.renders[intent.ref] = made
        await _require(intent, run, world)
        if wanted is None:
            world.has_read(intent.ref, made.revision)
        else:
            wanted = replace(wanted, taken=world.claims.take(intent.ref))
            await _applied(intent, wanted, run, target, world, plan_only=plan_only)
    if plan_only:
        return conclude.would_change(run, world.ctx.now())
    await _gated(intent, run, target, world, superseded)
    run.applied = made.revision
    return conclude.ready(run, world.ctx.now())


async def _not_to_end(inventory: Inventory, target: Target, world: World) -> Inventory:
    """The record without a deletion that was asked for before: the app is declared again."""
    if inventory.removal is None or world.safety.read_only:
        return inventory
    return await record.written(inventory, lambda i: replace(i, removal=None), target, world)


async def _spared(intent: AppIntent, world: World) -> None:
    """The same where the declaration suspends the app: nothing else is looked at, and a cluster that is away is no trouble.

    The app is woken when that cluster is reached. One that the app itself names is not contacted: its records end nothing.
    """
    if world.safety.read_only or intent.kubeconfig is not None:
        return
    with anyio.move_on_after(intent.timeout.total_seconds()):
        try:
            target = await world.target(intent)
            await _not_to_end(await record.read(intent.ref, target, world), target, world)
        except GitopsdError as error:
            world.ctx.log.info(
                "what is on record of a suspended app was not looked at", object=str(intent.ref), problem=str(error)
            )


async def _connected(intent: AppIntent, run: Run, world: World, *, removing: bool) -> Target:
    run.step = Step.ACCEPT
    if intent.unsupported and not removing:
        raise Unsupported(f"{intent.ref}: {', '.join(intent.unsupported)}: not served yet; remove to go on")
    if not removing:
        await judge.check(intent, world)
    run.step = Step.CONNECT
    target = await world.target(intent)
    run.cluster = target.access.cluster
    return target


async def _made(
    intent: AppIntent, run: Run, offered: Artifact | None, world: World
) -> tuple[Render, Artifact, tuple[Manifest, ...] | None]:
    """artifact -> render."""
    run.step = Step.ARTIFACT
    unserved = {kind for _, kind in world.registry.unserved}
    artifact = require.artifact(intent, world.board.intents, offered, unserved)
    run.attempted = artifact.revision
    run.step = Step.RENDER
    made, fresh = await render.current(intent, artifact, world, anew=bool(run.token))
    run.rendered, run.warnings = made.outline.digest, (*run.warnings, *made.outline.warnings)
    return made, artifact, fresh


async def _require(intent: AppIntent, run: Run, world: World) -> None:
    """After the render: what the app lets go of must reach the others, even those that it depends on itself."""
    run.step = Step.REQUIRE
    board = world.board
    said = await ready.said(intent, world)
    require.dependencies(
        intent,
        str(run.attempted),
        board.intents,
        board.declared,
        board.outcomes,
        said,
        additive=world.additive_ready,
    )


def _stands(intent: AppIntent, made: Render, run: Run, target: Target, world: World) -> bool:
    """True when all this was applied already, watches say that it still is so, and nothing waits to be pruned."""
    standing = world.board.standing.get(intent.ref)
    owned = world.board.inventories.get(intent.ref)
    return (
        not run.fresh
        and standing is not None
        and owned is not None
        and standing.spec == run.declared.spec
        and standing.render == made.outline.digest
        and standing.cluster_uid == target.uid
        and owned.owned.keys() == standing.ids
        and not world.mirror.drifted(intent.ref)
        and world.mirror.holds(target.access.cluster, {(c.id.group, c.id.kind) for c in standing.checks})
    )


async def _wanted(
    intent: AppIntent,
    artifact: Artifact,
    made: Render,
    fresh: tuple[Manifest, ...] | None,
    target: Target,
    world: World,
) -> Wanted:
    """The manifests and what follows from them."""
    manifests = await render.manifests(intent, artifact, made, world) if fresh is None else fresh
    for_cluster, declared = children.split(manifests, world.registry)
    qualified = await target.qualify(for_cluster)
    await checkpoint()
    there, here = frozenset(m.id for m in qualified.manifests), frozenset(m.id for m in declared)
    _pass_on(world.claims.want(intent.ref, target.uid, there, here), intent.ref, world)
    return Wanted(render=made, manifests=qualified.manifests, declared=declared, taken={}, ids=there | here)


def _pass_on(heirs: Iterable[ObjectRef], app: ObjectRef, world: World) -> None:
    for heir in heirs:
        world.board.standing.pop(heir, None)
        world.wake(heir, f"{app} let go of what it wants")


async def _applied(
    intent: AppIntent, wanted: Wanted, run: Run, target: Target, world: World, *, plan_only: bool
) -> None:
    """remember -> stages -> prune -> forget."""
    world.board.standing.pop(intent.ref, None)
    broken = world.adopt_children(intent.ref, tuple(m for m in wanted.declared if m.id not in wanted.taken))
    world.has_read(intent.ref, wanted.render.revision)
    assert run.inventory is not None
    old = run.inventory
    _refuse_empty(intent, wanted, old, world)
    if not plan_only:
        run.step = Step.REMEMBER
        run.inventory = await record.written(
            old, lambda i: inventory.before(i, (*wanted.manifests, *wanted.declared)), target, world
        )
    changes = await stage.all_of(intent, wanted.manifests, wanted.taken, run, target, world, plan_only=plan_only)
    error = stage.first_error(changes, run)
    run.warnings = (*run.warnings, *_left_alone(intent, changes))
    if not stage.blocked(changes, run):
        run.step = Step.PRUNE
        changes += await removal.pruned(intent, wanted.ids, run, target, world, plan_only=plan_only)
    await checkpoint()
    run.plan = plan.of(intent.ref, target.uid, changes)
    removal.note_holds(run, world)
    if plan_only:
        removal.foreseen(run, world)
        if error is not None:
            raise error
        children.complain(intent, broken)
        return
    step, run.step = run.step, Step.FORGET
    run.inventory = await record.written(run.inventory, lambda i: _after(i, changes, wanted, run), target, world)
    await stage.keep_marks(run, changes, target, world)
    run.step = step
    if error is not None:
        raise error
    removal.complain(intent, run)
    children.complain(intent, broken)
    world.board.standing[intent.ref] = Standing(
        spec=run.declared.spec,
        render=wanted.render.outline.digest,
        cluster_uid=target.uid,
        ids=wanted.ids,
        checks=_kept(wanted, changes),
    )


def _kept(wanted: Wanted, changes: Sequence[Change]) -> tuple[HealthCheck, ...]:
    """What is ours in the cluster: skipped objects are not, so nobody waits for their health."""
    skipped = {c.id for c in changes if c.action is Action.SKIP and not c.deletion and not c.drifted}
    return tuple(check for check in wanted.checks if check.id not in skipped)


def _left_alone(intent: AppIntent, changes: Sequence[Change]) -> tuple[str, ...]:
    """What is said of drift that is not put back."""
    if intent.policy.drift is not DriftPolicy.WARN:
        return ()
    return tuple(
        f"{c.id}: {c.reason}" + (f" ({', '.join(f.path for f in c.fields[:3])})" if c.fields else "")
        for c in changes
        if c.drifted
    )


def _after(known: Inventory, changes: Sequence[Change], wanted: Wanted, run: Run) -> Inventory:
    """What is owned after the run; declared objects are owned by being declared."""
    assert run.plan is not None
    left = inventory.spent(inventory.after(known, changes, run.results), run.plan)
    ours = {m.id: replace(left.owned[m.id], intended=False) for m in wanted.declared if m.id in left.owned}
    return replace(left, owned={**left.owned, **ours})


def _refuse_empty(intent: AppIntent, wanted: Wanted, old: Inventory, world: World) -> None:
    if world.safety.empty_render and intent.prune and not wanted.ids and old.owned:
        raise Misconfigured(
            f"{intent.ref}: the render is empty although {len(old.owned)} objects are in the inventory; nothing was deleted. "
            "Correct spec.path, or delete the object itself to remove what it applied",
            reason="EmptyRender",
        )


async def _gated(intent: AppIntent, run: Run, target: Target, world: World, superseded: anyio.Event) -> None:
    run.step = Step.GATE
    checks = world.board.standing[intent.ref].checks if intent.wait else intent.health_checks
    if not checks:
        return
    run.healthy = False
    await gate.passed(
        checks,
        target,
        world,
        run,
        judge=Judge.of(intent, world),
        timeout=intent.timeout.total_seconds(),
        superseded=superseded,
    )
    run.healthy = True

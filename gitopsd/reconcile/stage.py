"""observe -> rehearse -> plan -> apply -> settle, stage by stage.

An object that the app never wrote is most often not there. Where a stage is rehearsed anyway, the dry run itself tells that
(it would create), so that only those that exist are observed too, before anything is decided: a first apply needs two
requests per object, not three.

Between passes over thousands of objects the loop gets a turn (`checkpoint`), so that none of it waits for them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from anyio.lowlevel import checkpoint

from gitopsd.model import digest
from gitopsd.model.change import Action, Applied, Change
from gitopsd.model.declared import AppIntent, Atomic, Treatment
from gitopsd.model.errors import GitopsdError, Misconfigured, Rejected, Retrying
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.manifest import Manifest, Stage
from gitopsd.model.outcome import Step
from gitopsd.plugin.roles import Target
from gitopsd.reconcile import apply, look, plan, slices
from gitopsd.reconcile.conclude import Run
from gitopsd.reconcile.look import Look
from gitopsd.reconcile.plan import Ground
from gitopsd.reconcile.world import World

SETTLE = 60.0
"""Seconds that a stage's definitions and namespaces get until they must be usable."""


async def all_of(
    intent: AppIntent,
    manifests: Sequence[Manifest],
    taken: Mapping[ResourceId, ObjectRef],
    run: Run,
    target: Target,
    world: World,
    *,
    plan_only: bool,
) -> tuple[Change, ...]:
    """Every stage in order; after one that was refused only drift is put back. What went wrong is in `first_error`."""
    manifests = await _under_rules(intent, manifests, world)
    await checkpoint()
    applied = world.memory.applied(target.uid, intent.ref)
    new = _never_written(intent, manifests, run, plan_only=plan_only)
    standing = _standing(intent, manifests, run, target, world)
    await checkpoint()
    seen = await _observed([m for m in manifests if m.id not in new and m.id not in standing], run, target)
    if seen.unread and len(seen.unread) == len(manifests):
        raise next(iter(seen.unread.values()))
    refused: ResourceId | None = None
    changes: tuple[Change, ...] = ()
    namespaces = frozenset(m.id.name for m in manifests if m.id.kind == "Namespace" and not m.id.group)
    for stage in target.stages(manifests, intent.policy.stage_kinds):
        ground = await _treated(_ground(intent, seen, standing, applied, taken, world), stage, intent, world)
        ground = replace(ground, shown=plan_only, refused=refused, namespaces=namespaces)
        await checkpoint()
        if refused is None and (ground.atomic is Atomic.STAGE or plan_only):
            ground = await _rehearsed(ground, stage, new, intent, run, target, world)
        if plan_only and any(answer.waits for answer in ground.rehearsals.values()):
            ground = replace(ground, coming=_coming(intent, world))
        planned = plan.together(await slices.over(stage.manifests, partial(plan.each, ground=ground)), ground)
        await checkpoint()
        changes += planned
        if plan_only:
            continue
        await _written(stage, planned, run, target, world)
        if refused is None and ground.atomic is Atomic.STAGE:
            refused = next((c.id for c in planned if blocked([c], run)), None)
    return changes


def _coming(intent: AppIntent, world: World) -> Mapping[str, ObjectRef]:
    """Namespaces that other apps' plans bring to the same cluster."""
    return {
        change.id.name: ref
        for ref, outcome in world.board.outcomes.items()
        if outcome.plan is not None and ref != intent.ref and _same_cluster(ref, intent, world)
        for change in outcome.plan.changes
        if change.action is Action.CREATE and change.id.kind == "Namespace" and not change.id.group
    }


def _same_cluster(ref: ObjectRef, intent: AppIntent, world: World) -> bool:
    other = world.board.intents.get(ref)
    return isinstance(other, AppIntent) and (other.cluster, other.kubeconfig) == (intent.cluster, intent.kubeconfig)


async def _under_rules(intent: AppIntent, manifests: Sequence[Manifest], world: World) -> tuple[Manifest, ...]:
    """With digests that also name the fields left to others: under another rule the same manifest is another write."""
    kind = world.registry.kind_named(intent.ref.kind)
    if kind is None:
        return tuple(manifests)

    def under(manifest: Manifest) -> Manifest:
        ignored = kind.treatment(intent, manifest.id, manifest.body).ignored
        return replace(manifest, digest=digest.of_value([manifest.digest, ignored])) if ignored else manifest

    return await slices.over(manifests, partial(map, under))


def _never_written(
    intent: AppIntent, manifests: Sequence[Manifest], run: Run, *, plan_only: bool
) -> frozenset[ResourceId]:
    """What a rehearsal is to tell whether it is there; none where the stages are not rehearsed."""
    if intent.policy.atomic is Atomic.OBJECT and not plan_only:
        return frozenset()
    owned = run.inventory.owned if run.inventory else {}
    return frozenset(m.id for m in manifests if m.id not in owned or owned[m.id].intended)


def _standing(
    intent: AppIntent, manifests: Sequence[Manifest], run: Run, target: Target, world: World
) -> frozenset[ResourceId]:
    """What watches show to be just as it was applied: it need not be asked for."""
    if run.fresh:
        return frozenset()
    cluster, applied = target.access.cluster, world.memory.applied(target.uid, intent.ref)
    held = {kind for kind in {(m.id.group, m.id.kind) for m in manifests} if world.mirror.holds(cluster, {kind})}
    return frozenset(
        m.id
        for m in manifests
        if (m.id.group, m.id.kind) in held
        and plan.stands(m, world.mirror.sight(cluster, m.id), applied.get(m.id), intent.ref)
    )


async def _observed(manifests: Iterable[Manifest], run: Run, target: Target) -> Look:
    """Live state, as the cluster has it now."""
    run.step = Step.OBSERVE
    return await look.at([(manifest.id, manifest.version) for manifest in manifests], target)


def _ground(
    intent: AppIntent,
    seen: Look,
    standing: frozenset[ResourceId],
    applied: Mapping[ResourceId, Applied],
    taken: Mapping[ResourceId, ObjectRef],
    world: World,
) -> Ground:
    return Ground(
        app=intent.ref,
        adopt=intent.policy.adopt or world.safety.adopt,
        atomic=intent.policy.atomic or Atomic.STAGE,
        live=seen.live,
        unread=seen.unread,
        standing=standing,
        applied=applied,
        taken=taken,
        force=intent.policy.force,
        drift=intent.policy.drift,
    )


async def _treated(ground: Ground, stage: Stage, intent: AppIntent, world: World) -> Ground:
    """With what markers on the objects, wanted and live, ask for."""
    kind = world.registry.kind_named(intent.ref.kind)
    if kind is None:
        return ground

    def treatment(manifest: Manifest) -> tuple[ResourceId, Treatment]:
        wanted, live = kind.treatment(intent, manifest.id, manifest.body), ground.live.get(manifest.id)
        return manifest.id, wanted if live is None else wanted.beside(kind.treatment(intent, live.id, live.body))

    return replace(ground, treatments=dict(await slices.over(stage.manifests, partial(map, treatment))))


async def _rehearsed(
    ground: Ground,
    stage: Stage,
    new: frozenset[ResourceId],
    intent: AppIntent,
    run: Run,
    target: Target,
    world: World,
) -> Ground:
    """With the dry runs of all that differs, and the live state of those `new` ones that may be there after all.

    What is there after all is rehearsed again: whose it is, and which of its fields others hold, decides what is sent.
    """
    run.step = Step.REHEARSE
    answers = await apply.rehearsed(plan.differing(stage.manifests, ground), ground, target)
    unsure = [m for m in stage.manifests if m.id in new and not ((r := answers.get(m.id)) and r.creates)]
    if unsure:
        found = await _observed(unsure, run, target)
        run.step = Step.REHEARSE
        all_seen = Look(live=ground.live, unread=ground.unread).and_then(found)
        ground = await _treated(replace(ground, live=all_seen.live, unread=all_seen.unread), stage, intent, world)
        there = [m for m in unsure if m.id in found.live]
        answers = {**answers, **await apply.rehearsed(plan.differing(there, ground), ground, target)}
    await checkpoint()
    differing = {m.id for m in plan.differing(stage.manifests, ground)}
    await checkpoint()
    return replace(ground, rehearsals={id: answer for id, answer in answers.items() if id in differing})


async def _written(stage: Stage, planned: Sequence[Change], run: Run, target: Target, world: World) -> None:
    run.step = Step.APPLY
    app = run.declared.ref
    world.mirror.writing(target.access.cluster, [c.id for c in planned if c.action.writes])
    await apply.carried_out(planned, app, target, run.results)
    if not stage.settle or not any(c.action.writes for c in planned) or blocked(planned, run):
        return
    run.step = Step.SETTLE
    late = await target.settle(stage, SETTLE)
    if late:
        names = ", ".join(str(id) for id in late)
        raise Rejected(f"{app}: not usable after {SETTLE:g} s: {names}")


def blocked(changes: Iterable[Change], run: Run) -> bool:
    """True when a rehearsal or a write failed: nothing is pruned then. A refusal over ownership blocks nothing else."""
    return any(not isinstance(error, Misconfigured) for error in _errors(changes, run))


def first_error(changes: Sequence[Change], run: Run) -> GitopsdError | None:
    """What the run concludes with: the first failed rehearsal or write, else the first refusal; the others are counted."""
    errors = sorted(_errors(changes, run), key=lambda error: isinstance(error, Misconfigured))
    if not errors:
        return None
    first, others = errors[0], len(errors) - 1
    if not others:
        return first
    text = f"{first} (and {others} more)"
    if isinstance(first, Retrying):
        return type(first)(text, reason=first.reason, retry_after=first.retry_after)
    return type(first)(text, reason=first.reason)


def _errors(changes: Iterable[Change], run: Run) -> list[GitopsdError]:
    results = (run.results.get(change.id) for change in changes)
    failed = [result.error for result in results if result is not None and result.error is not None]
    return failed + [change.error for change in changes if change.error is not None]


async def keep_marks(run: Run, changes: Sequence[Change], target: Target, world: World) -> None:
    """Note how each object looks now, so that the next run and the watches can tell drift from our own doing."""
    app = run.declared.ref
    known = world.memory.applied(target.uid, app)
    marked = await slices.over(
        changes, lambda part: [(c.id, None if c.deletion else _mark(c, run, known)) for c in part]
    )
    marks = {id: applied for id, applied in marked if applied}
    gone = [id for id, applied in marked if not applied]
    world.memory.keep_applied(target.uid, app, marks, gone)
    await checkpoint()
    left = [change.id for change in changes if change.drifted or _left_as_it_is(change, marks)]
    world.mirror.expect(app, target.access.cluster, {id: applied.mark for id, applied in marks.items()}, left)


def _left_as_it_is(change: Change, marks: Mapping[ResourceId, Applied]) -> bool:
    """True for a held object that looks otherwise than it was applied: that is known, and no reason to look again."""
    if change.action is not Action.HOLD or change.id not in marks:
        return False
    return change.live is None or change.live.mark != marks[change.id].mark


def _mark(change: Change, run: Run, known: Mapping[ResourceId, Applied]) -> Applied | None:
    if change.manifest is None:
        return None
    if change.drifted or change.unread or change.action is Action.HOLD:
        return known.get(change.id)  # as applied last: drift from that is seen, and Git's next change told from it
    if change.action is Action.UNCHANGED and change.live is not None:
        return Applied(manifest=change.manifest.digest, mark=change.live.mark)
    if change.action is Action.UNCHANGED:
        return known.get(change.id)
    result = run.results.get(change.id)
    if result is None or result.error is not None:
        return None
    return Applied(manifest=change.manifest.digest, mark=result.mark)

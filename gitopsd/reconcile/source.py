"""One attempt at a source: resolve -> fetch -> put -> conclude.

A failed or half fetch leaves the last artifact in service. The reference to a new tree is written last, so that nobody
sees a tree that is not whole. After a restart what is stored serves at once, and who was asked a moment ago is not asked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime

import anyio
from structlog.contextvars import bound_contextvars

from gitopsd.model.declared import SourceIntent
from gitopsd.model.errors import GitopsdError, Misconfigured, Transient, Unsupported, VerificationFailed
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Outcome, Step
from gitopsd.model.tree import Artifact, Polled, Revision
from gitopsd.plugin.context import Context, Upstream
from gitopsd.plugin.roles import Source
from gitopsd.reconcile import conclude, lost, require, resumption
from gitopsd.reconcile.conclude import Run
from gitopsd.reconcile.world import World


async def attempt(ref: ObjectRef, world: World, *, token: str = "", resume: bool = False) -> Outcome:
    """Bring the source up to date and conclude; `resume`: go on from what an earlier run stored, where that may serve."""
    if resume and (kept := _resumed(ref, world)):
        return kept
    intent = world.board.intents[ref]
    assert isinstance(intent, SourceIntent)
    run = Run(declared=world.board.declared[ref], started=world.ctx.now(), token=token, warnings=intent.warnings)
    run.artifact = world.store.artifact(ref)
    if run.artifact is not None:  # whatever comes now, what was stored last goes on serving the apps
        world.board.artifacts[ref] = run.artifact
    if conclude.held_in_git(intent, run, world.ctx.now()):
        return conclude.suspended(run, world.ctx.now())
    try:
        reading = lost.fetched_again(ref, intent.reads, world) if intent.reads else nullcontext()
        with anyio.fail_after(intent.timeout.total_seconds()), reading:
            await _steps(intent, run, world)
    except TimeoutError:
        late = Transient(f"{ref}: not finished within {intent.timeout.total_seconds():g} s at step {run.step}")
        return _failed(run, late, world)
    except GitopsdError as error:
        return _failed(run, error, world)
    return conclude.ready(run, world.ctx.now())


def _resumed(ref: ObjectRef, world: World) -> Outcome | None:
    """The outcome with what an earlier run stored, and by when it is to be asked; None where it is to be asked first."""
    intent, declared, artifact = world.board.intents[ref], world.board.declared[ref], world.store.artifact(ref)
    assert isinstance(intent, SourceIntent)
    run = Run(declared=declared, started=world.ctx.now(), warnings=intent.warnings, artifact=artifact)
    if artifact is None or conclude.held_in_git(intent, run, run.started):
        return None
    parts = {source: found for source in intent.reads if (found := world.store.artifact(source))}
    left = resumption.left(
        require.blended(intent, parts) if parts.keys() == set(intent.reads) else intent,
        declared.spec,
        artifact,
        world.board.polled.get(ref),
        [_standing_since(source, world) for source in intent.reads],
        sources=len(world.board.polled),
        now=run.started,
    )
    if left is None:
        return None
    world.board.artifacts[ref] = artifact
    run.attempted = run.applied = artifact.revision
    run.upstream = _upstream(intent, parts)
    return replace(conclude.ready(run, world.ctx.now()), retry_after=left.total_seconds())


def _standing_since(ref: ObjectRef, world: World) -> datetime | None:
    """Since when a source is as it is now; None where that is not known."""
    intent, artifact, polled = world.board.source(ref), world.store.artifact(ref), world.board.polled.get(ref)
    if intent is not None and intent.bare:
        return polled.at if polled and polled.spec == world.board.declared[ref].spec else None
    return artifact.stored if artifact else None


def _failed(run: Run, error: GitopsdError, world: World) -> Outcome:
    """What was stored last goes on serving, so the message says what that is and how old."""
    if isinstance(error, VerificationFailed) or error.reason == VerificationFailed.default_reason:
        run.step = Step.VERIFY
    outcome, kept = conclude.failed(run, error, world.ctx.now()), run.artifact
    polled = world.board.polled.get(run.declared.ref)
    if polled is not None:
        world.board.polled[run.declared.ref] = replace(polled, failing=True)
    if kept is None:
        return outcome
    since = polled.at if polled else kept.stored
    service = f"{kept.revision}, stored {_time(kept.stored)}, stays in service, stale since {_time(since)}"
    return replace(outcome, message=f"{outcome.message}; {service}")


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


async def _steps(intent: SourceIntent, run: Run, world: World) -> None:
    run.step = Step.ACCEPT
    if intent.unsupported:
        raise Unsupported(f"{intent.ref}: {', '.join(intent.unsupported)}: not served yet; remove to go on")
    run.step = Step.REQUIRE
    require.dependencies(intent, "", world.board.intents, world.board.declared, world.board.outcomes)
    intent = require.upstream(intent, world.board.intents, world.board.artifacts, world.board.outcomes)
    run.upstream = _upstream(intent, world.board.artifacts)
    if intent.bare:
        _as_it_stands(intent, run, world)
        return
    source, ctx = _plugin(intent, world), _context(intent, world)
    run.step = Step.RESOLVE
    revision = await source.resolve(intent, ctx)
    run.attempted = revision
    if run.artifact is None or not _current(run.artifact, revision, intent):
        with bound_contextvars(revision=str(revision)):
            run.artifact = await _fetched(source, intent, revision, run, world, ctx)
    run.applied = revision
    world.board.artifacts[intent.ref] = run.artifact
    world.board.polled[intent.ref] = Polled(at=world.ctx.now(), spec=run.declared.spec)


def _as_it_stands(intent: SourceIntent, run: Run, world: World) -> None:
    """Nothing is fetched; another declaration is news to those who read it."""
    run.artifact = None
    world.board.artifacts.pop(intent.ref, None)
    run.content = intent.content
    polled = world.board.polled.get(intent.ref)
    if polled is None or polled.spec != run.declared.spec:
        world.board.polled[intent.ref] = Polled(at=run.started, spec=run.declared.spec)
    run.attempted = run.applied = Revision(digest=intent.content)


def _context(intent: SourceIntent, world: World) -> Context:
    """For a source that reads another one: with the sources of its namespace."""
    if not intent.reads:
        return world.ctx
    board = world.board
    beside = {
        ref: Upstream(intent=found, artifact=board.artifacts.get(ref), generation=board.declared[ref].generation)
        for ref, found in board.intents.items()
        if isinstance(found, SourceIntent) and ref.namespace == intent.ref.namespace
    }
    return replace(world.ctx, sources=beside)


def _current(artifact: Artifact, revision: Revision, intent: SourceIntent) -> bool:
    return artifact.revision == revision and artifact.spec == intent.content


async def _fetched(
    source: Source, intent: SourceIntent, revision: Revision, run: Run, world: World, ctx: Context
) -> Artifact:
    run.step = Step.FETCH
    base = run.artifact if run.artifact and run.artifact.spec == intent.content else None
    async with world.slots.fetch:
        stored = await source.fetch(intent, revision, base, ctx)
    run.step = Step.PUT
    artifact = Artifact(
        source=intent.ref,
        revision=revision,
        tree=stored.tree,
        size=stored.size,
        files=stored.files,
        stored=world.ctx.now(),
        spec=intent.content,
        verified=stored.verified,
        made_of=_made_of(intent, ctx),
        metadata=stored.metadata,
        facts=stored.facts,
    )
    world.store.refer(artifact, keep=world.limits.keep)
    run.fetched = True
    return artifact


def _upstream(intent: SourceIntent, artifacts: Mapping[ObjectRef, Artifact]) -> Revision | None:
    found = artifacts.get(intent.reads[0]) if intent.reads else None
    return found.revision if found else None


def _made_of(intent: SourceIntent, ctx: Context) -> tuple[Artifact, ...]:
    parts = [ctx.sources[ref].artifact for ref in intent.reads] if intent.blends else []
    return tuple(replace(part, made_of=()) for part in parts if part is not None)


def _plugin(intent: SourceIntent, world: World) -> Source:
    source = world.registry.sources.get(intent.ref.kind)
    if source is None:
        raise Misconfigured(f"{intent.ref}: no plugin fetches {intent.ref.kind}{world.registry.failures()}")
    return source

"""The part of `gitopsd check` that looks at what would be planned: advice with its place, safe edits, rights that are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitopsd.cli.findings import Findings
from gitopsd.config import documents
from gitopsd.config.advice import mending, table
from gitopsd.config.advice.evidence import Advice, Evidence
from gitopsd.config.chosen import Loaded
from gitopsd.config.documents import Written
from gitopsd.model.change import Change
from gitopsd.model.declared import AppIntent
from gitopsd.model.errors import GitopsdError
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.outcome import Phase
from gitopsd.plugin.registry import Registry
from gitopsd.plugin.roles import Preflight, Target
from gitopsd.reconcile import needs, removal
from gitopsd.runtime.asked.whatif import Settled
from gitopsd.runtime.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a plan of everything showed."""

    evidence: Evidence
    changes: Mapping[ObjectRef, Sequence[Change]]
    problems: Mapping[ObjectRef, tuple[str, str]]
    """(reason, message) of apps that would not become ready."""


def looked(settled: Settled) -> Looked:
    """The evidence in a plan that has come to its end."""
    board = settled.engine.board
    plans = {ref: outcome.plan for ref, outcome in board.outcomes.items() if outcome.plan}
    wrong = {
        ref: (outcome.reason, outcome.message)
        for ref, outcome in board.outcomes.items()
        if isinstance(board.intents.get(ref), AppIntent)
        and (outcome.phase in {Phase.RETRYING, Phase.STALLED} or outcome.reason == removal.NOT_APPROVED)
    }
    evidence = Evidence(
        objects=dict(board.declared),
        intents=dict(board.intents),
        newest=newest(settled.engine.world.registry),
        rendered={ref: _versions(ref, settled.engine) for ref in board.renders},
    )
    return Looked(evidence=evidence, changes={ref: plan.changes for ref, plan in plans.items()}, problems=wrong)


def newest(registry: Registry) -> Mapping[str, str]:
    """The newest version that is served of each declared kind."""
    return {name: kind.versions[0] for (_, name), kind in registry.kinds.items()}


def _versions(ref: ObjectRef, engine: Engine) -> Mapping[ResourceId, str]:
    """What an app's newest render wants, by what its plan or its record says of versions."""
    board = engine.board
    plan = board.outcomes[ref].plan if ref in board.outcomes else None
    planned = {c.id: c.manifest.version for c in (plan.changes if plan else ()) if c.manifest}
    recorded = engine.board.versions(ref)
    return {id: planned.get(id) or recorded.get(id, "") for id in board.renders[ref].outline.ids}


def advise(loaded: Loaded, evidence: Evidence, found: Findings, *, fix: bool) -> None:
    """Say all advice with file and line; with `fix` the safe edits are made, and said instead."""
    places = {d.identity.ref: d for d in documents.overridden(documents.gather(loaded.paths).layers)[0].values()}
    advice = table.given(evidence)
    edits = [(places[a.ref], a.edit) for a in advice if fix and a.edit is not None and a.ref in places]
    mended = mending.mend(edits)
    for it in advice:
        written = places.get(it.ref)
        if written is not None and it.edit is not None and (written, it.edit) in mended:
            found.good(f"mended {told(it, written, evidence)}")
        else:
            found.warn(told(it, written, evidence))


def told(advice: Advice, written: Written | None, evidence: Evidence) -> str:
    """`FILE:LINE: OBJECT: PATH: what to do [name]`; for a child the app that rendered it stands for the file."""
    if written is not None:
        return f"{written.problem(advice.message, advice.path)} [{advice.name}]"
    declared = evidence.objects.get(advice.ref)
    place = f"{declared.place}: " if declared else ""
    return f"{place}{advice.ref}: {advice.message} [{advice.name}]"


def wrong(seen: Looked, found: Findings) -> None:
    """Apps that would not become ready, with the reason; a deletion that waits for an approval is only worth a look."""
    for ref, (reason, message) in sorted(seen.problems.items()):
        say = found.warn if reason == removal.NOT_APPROVED else found.bad
        say(message if message.startswith(str(ref)) else f"{ref}: {message}")


async def rights_of_records(target: Target, namespace: str) -> Sequence[str]:
    """What this identity may not do where gitopsd keeps its records."""
    if not isinstance(target, Preflight):
        return ()
    id = ResourceId(group="", kind="Namespace", namespace="", name=namespace)
    exists = id in await target.observe([(id, "v1")])
    return await target.denied(needs.of_records(namespace, exists=exists))


async def rights(seen: Looked, engine: Engine, found: Findings, *, write: bool) -> None:
    """Ask for exactly the rights that the plan needs, for each app as whoever acts for it."""
    for ref, changes in sorted(seen.changes.items()):
        intent = seen.evidence.intents.get(ref)
        if not isinstance(intent, AppIntent):
            continue
        try:
            target = await engine.world.target(intent)
        except GitopsdError as error:
            found.bad(f"{ref}: {error}")
            continue
        if isinstance(target, Preflight):
            for sentence in await target.denied(needs.of(changes, write=write)):
                found.bad(f"{ref}: {intent.act_as or 'this identity'} {sentence}")

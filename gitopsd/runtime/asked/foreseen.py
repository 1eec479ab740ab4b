"""PURE. From a plan that has come to its end to what is shown of it: which apps it touches, and each with its changes, masked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from gitopsd.model import masking
from gitopsd.model.change import Action, Change, FieldChange, Ours
from gitopsd.model.declared import AppIntent, Declared
from gitopsd.model.errors import UsageError
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.reconcile import children, diff, secrecy
from gitopsd.runtime.asked.whatif import Settled
from gitopsd.runtime.engine import Engine
from gitopsd.runtime.shown.view import ChangeView, ClusterView, FieldView, PlanView, Report, SourceView


def view(settled: Settled) -> PlanView:
    """The plan as it is shown. Raises `UsageError` for a name that is no app's."""
    engine, apps = settled.engine, _apps(settled.engine)
    named = settled.named & apps
    if settled.named and not named:
        raise UsageError(f"{min(settled.named)}: has no plan; only apps have")
    shown = _touched(settled, named, apps)
    reports = tuple(_report(ref, settled) for ref in sorted(shown))
    return PlanView(
        clusters=engine.cluster_views(),
        sources=tuple(_sources(settled, shown)),
        apps=reports,
        untouched=0 if named else len(apps) - len(shown),
    )


def _apps(engine: Engine) -> frozenset[ObjectRef]:
    return frozenset(intent.ref for intent in engine.board.apps())


def _touched(settled: Settled, named: frozenset[ObjectRef], apps: frozenset[ObjectRef]) -> frozenset[ObjectRef]:
    """The named apps, or those that read what something stands in for, or all; with their children; and who gives or takes."""
    board, instead = settled.engine.board, settled.instead.sources
    if named:
        return _with_children(named, settled.engine)
    if not instead:
        return apps
    found = _with_children((a.ref for a in board.apps() if a.source in instead), settled.engine)
    pairs = [(giver, taker) for (_, giver), taker in _moves(board.outcomes.values()).items()]
    return found | {ref for pair in pairs if found & {*pair} for ref in pair if ref in apps}


def _with_children(roots: Iterable[ObjectRef], engine: Engine) -> frozenset[ObjectRef]:
    """Those that end included: they are still declared by the parent that let go of them."""
    found = set(roots)
    by_parent: dict[ObjectRef, list[ObjectRef]] = {}
    for intent in engine.board.apps():
        if parent := engine.board.declared[intent.ref].parent:
            by_parent.setdefault(parent, []).append(intent.ref)
    todo = list(found)
    while todo:
        new = [child for child in by_parent.get(todo.pop(), ()) if child not in found]
        found.update(new)
        todo.extend(new)
    return frozenset(found)


_Moves = Mapping[tuple[ResourceId, ObjectRef], ObjectRef]
"""What moves, and from which app, to the app that takes it."""


def _moves(outcomes: Iterable[Outcome]) -> _Moves:
    return {
        (change.id, giver): outcome.ref
        for outcome in outcomes
        for change in (outcome.plan.changes if outcome.plan else ())
        if (giver := _giver(change, outcome.ref))
    }


def _giver(change: Change, app: ObjectRef) -> ObjectRef | None:
    """The app that the object comes from; None for one that does not move."""
    owner = change.live.owner if change.live else None
    moves = change.action is Action.ADOPT and isinstance(owner, Ours) and owner.app != app
    return owner.app if moves and isinstance(owner, Ours) else None


def _sources(settled: Settled, shown: Iterable[ObjectRef]) -> Iterator[SourceView]:
    board = settled.engine.board
    read = {intent.source for ref in shown if isinstance(intent := board.intents.get(ref), AppIntent)}
    for ref in sorted(read | settled.instead.sources):
        outcome, artifact = board.outcomes.get(ref), board.artifacts.get(ref)
        failed = outcome is not None and outcome.phase is not Phase.READY
        yield SourceView(
            ref=ref,
            revision=str(artifact.revision) if artifact else "",
            instead=settled.instead.named(ref),
            error=outcome.message if outcome and failed else "",
        )


def _report(ref: ObjectRef, settled: Settled) -> Report:
    engine = settled.engine
    outcome = engine.board.outcomes.get(ref)
    found = engine.view(ref)
    changes = outcome.plan.changes if outcome and outcome.plan else ()
    mask = _mask(changes, engine)
    cluster = next((c for c in engine.cluster_views() if c.name == found.cluster), ClusterView(name=found.cluster))
    moves = _moves(engine.board.outcomes.values())
    planned = [_change(c, ref, engine, moves, mask) for c in changes if c.action is not Action.UNCHANGED]
    return Report(
        view=replace(found, document={}, due=None, message=mask(found.message)),
        cluster=cluster.name,
        server=cluster.server,
        context=cluster.context,
        digest=outcome.plan.digest if outcome and outcome.plan else "",
        changes=(*planned, *_declared(ref, settled)),
        unchanged=sum(change.action is Action.UNCHANGED for change in changes),
    )


def _mask(changes: Iterable[Change], engine: Engine) -> Callable[[str], str]:
    """For the messages of this plan: a server's refusal may quote what it was sent."""
    refused = [c.manifest.body for c in changes if c.error is not None and c.manifest is not None]
    own = masking.discreet(value for body in refused for value in secrecy.values(body))
    return lambda text: engine.parts.ctx.masked(own(text))


def _known_masked(value: Any, mask: Callable[[str], str]) -> Any:
    """With all masked that this process ever knew to be secret: what goes may hold what the newest render does not know any more."""
    if isinstance(value, Mapping):
        return {key: _known_masked(item, mask) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_known_masked(item, mask) for item in value]
    return secrecy.MASK if isinstance(value, str) and mask(value) != value else value


def _change(change: Change, app: ObjectRef, engine: Engine, moves: _Moves, mask: Callable[[str], str]) -> ChangeView:
    """One change as it is shown; what is deleted with the object as it is."""
    before, after, fields = change.before, change.after, change.fields
    if change.deletion and change.live is not None:
        render = engine.board.renders.get(app)
        body = _known_masked(change.live.body, engine.parts.ctx.masked)
        before = diff.compared(body, None, hidden=render.hidden if render else frozenset()).before
    return ChangeView(
        action=str(change.action),
        kind=change.id.kind,
        namespace=change.id.namespace,
        name=change.id.name,
        reason=mask(change.reason),
        error=mask(str(change.error)) if change.error else "",
        fields=tuple(_field(f) for f in fields),
        moved_from=str(_giver(change, app) or ""),
        moved_to=str(moves.get((change.id, app), "")) if change.deletion else "",
        deletion=change.deletion,
        declared=children.is_declared(change.id, engine.parts.registry),
        estimated=change.estimated,
        before=before,
        ours=change.ours,
        after=after,
    )


def _field(change: FieldChange) -> FieldView:
    return FieldView(path=change.path, before=change.before, after=change.after, by=str(change.by))


def _declared(parent: ObjectRef, settled: Settled) -> Iterator[ChangeView]:
    """What is new or different among the app's children; what goes is among its changes."""
    engine = settled.engine
    if parent in engine.board.removals:
        return
    record = engine.board.inventories.get(parent)
    recorded = {children.ref(id) for id in record.owned} if record else set()
    for child in engine.children(parent):
        before, after = settled.children.get(child), engine.board.declared[child]
        if before is None and child in recorded:
            continue  # it was there, and what it was is not known
        change = _document(child, before, after)
        if change.fields:
            yield change


def _document(ref: ObjectRef, before: Declared | None, after: Declared) -> ChangeView:
    hidden = after.hidden | (before.hidden if before else frozenset())
    found = diff.compared(before.document if before else None, after.document, hidden=hidden)
    return ChangeView(
        action=str(Action.CREATE if before is None else Action.UPDATE),
        kind=ref.kind,
        namespace=ref.namespace,
        name=ref.name,
        fields=tuple(_field(f) for f in found.fields),
        declared=True,
        before=found.before,
        ours=found.ours,
        after=found.after,
    )

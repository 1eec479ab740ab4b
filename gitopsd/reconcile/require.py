"""PURE. Whether what an app depends on is ready, and if not, which one is waited for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType

from gitopsd.model import digest
from gitopsd.model.declared import AppIntent, Declared, Intent, SourceIntent
from gitopsd.model.errors import NotReady
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.model.tree import Artifact


def artifact(
    app: AppIntent,
    intents: Mapping[ObjectRef, Intent],
    offered: Artifact | None,
    unserved: Collection[str] = (),
) -> Artifact:
    """The artifact to render, which is what the source `offered`. Raises `NotReady` naming the source; `unserved` are kinds that nobody serves yet."""
    if app.source.kind in unserved:
        raise NotReady(f"{app.ref}: {app.source} is of a kind that is not served yet")
    if app.source not in intents:
        raise NotReady(f"{app.ref}: {app.source} is not declared; declare it or correct the source reference")
    if offered is None:
        raise NotReady(f"{app.ref}: {app.source} has no artifact yet")
    return offered


def upstream(
    source: SourceIntent,
    intents: Mapping[ObjectRef, Intent],
    artifacts: Mapping[ObjectRef, Artifact],
    outcomes: Mapping[ObjectRef, Outcome],
) -> SourceIntent:
    """The source as what it reads makes it. Raises `NotReady` naming the first that gives nothing to read."""
    for ref in source.reads:
        intent, outcome = intents.get(ref), outcomes.get(ref)
        if intent is None:
            raise NotReady(
                f"{source.ref}: {ref} is not declared; declare it or correct the reference", reason="NotFound"
            )
        if isinstance(intent, SourceIntent) and intent.bare:
            if outcome is None or outcome.phase not in {Phase.READY, Phase.SUSPENDED}:
                raise NotReady(f"{source.ref}: {ref} is not ready")
        elif ref not in artifacts:
            raise NotReady(f"{source.ref}: {ref} has no artifact yet", reason="NoArtifact")
    return blended(source, artifacts)


def blended(source: SourceIntent, artifacts: Mapping[ObjectRef, Artifact]) -> SourceIntent:
    """Another revision of what is blended in is other content. The artifacts of all that it reads are there."""
    if not source.blends:
        return source
    parts = [[str(ref), str(artifacts[ref].revision), artifacts[ref].tree] for ref in source.reads]
    return replace(source, content=digest.of_value([source.content, parts]))


def dependencies(
    app: AppIntent | SourceIntent,
    revision: str,
    intents: Mapping[ObjectRef, Intent],
    declared: Mapping[ObjectRef, Declared],
    outcomes: Mapping[ObjectRef, Outcome],
    said: Mapping[ObjectRef, str] = MappingProxyType({}),
    *,
    additive: bool = False,
) -> None:
    """Raise `NotReady` for the first dependency that is not ready, or not at this revision where the source is shared.

    `said` is what expressions miss of a dependency, '' for nothing: that decides instead of the rule, or besides (`additive`).
    """
    for ref in app.depends_on:
        reason = said.get(ref, "")
        if not reason and (additive or ref not in said):
            reason = _lacks(ref, app, revision, intents, declared, outcomes)
        if reason:
            raise NotReady(f"{app.ref}: dependency {ref} {reason}")


def _lacks(
    ref: ObjectRef,
    app: AppIntent | SourceIntent,
    revision: str,
    intents: Mapping[ObjectRef, Intent],
    declared: Mapping[ObjectRef, Declared],
    outcomes: Mapping[ObjectRef, Outcome],
) -> str:
    intent, outcome = intents.get(ref), outcomes.get(ref)
    if intent is None:
        return "is not declared"
    if outcome is None:
        return "has not been reconciled yet"
    if outcome.phase is not Phase.READY:
        return f"is not ready: {outcome.message}" if outcome.message else "is not ready"
    if outcome.generation != declared[ref].generation:
        return "has a newer declaration that is not reconciled yet"
    shared = isinstance(intent, AppIntent) and isinstance(app, AppIntent) and intent.source == app.source
    seen = outcome.applied or outcome.attempted  # a plan is ready without having applied anything
    if shared and str(seen) != revision:
        return f"is at {seen}, not at {revision} yet"
    return ""

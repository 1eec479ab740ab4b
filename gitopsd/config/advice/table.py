"""PURE. The table of advice: one small function for each thing that users of Flux come to regret.

To add one, write the function and its line in `TABLE`, with an example that fails and one that passes in its test.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from datetime import timedelta

from gitopsd.config import mentions
from gitopsd.config.advice import removed
from gitopsd.config.advice.evidence import Advice, Edit, Evidence, Rule
from gitopsd.plugin import AppIntent, ObjectRef, ResourceId, SourceIntent

SLOW = timedelta(minutes=10)
LONGEST = 63
"""Characters that fit into a label."""
INTERVAL = "10m"
SHOWN = 3


def prune_off(evidence: Evidence) -> Iterator[Advice]:
    """What is removed from Git stays. No edit: what was left behind until now would go at once."""
    for app in evidence.apps():
        if not app.prune:
            yield Advice(
                name="prune-off",
                ref=app.ref,
                path=("spec", "prune"),
                message="what is removed from Git stays in the cluster; set spec.prune: true",
            )


def slow_source(evidence: Evidence) -> Iterator[Advice]:
    """A commit is seen late."""
    for source in evidence.sources():
        if source.interval > SLOW:
            path = ("spec", "interval")
            yield Advice(
                name="slow-source",
                ref=source.ref,
                path=path,
                message=f"a commit is seen after up to {evidence.spec(source.ref).get('interval')}; polling costs one small "
                f"request, so use {INTERVAL} or less",
                edit=Edit(path=path, value=INTERVAL),
            )


def no_health(evidence: Evidence) -> Iterator[Advice]:
    """An app is ready as soon as it is applied, whether it runs or not."""
    for app in evidence.apps():
        if not _has_health(app):
            yield Advice(
                name="no-health",
                ref=app.ref,
                path=("spec",),
                message="neither wait nor healthChecks: it is ready as soon as it is applied, whether it runs or not; set "
                "spec.wait: true",
                edit=Edit(path=("spec", "wait"), value=True),
            )


def dependency_without_health(evidence: Evidence) -> Iterator[Advice]:
    """Waiting for something that is ready at once waits for nothing."""
    for app in evidence.apps():
        for ref in app.depends_on:
            other = evidence.intents.get(ref)
            if isinstance(other, AppIntent) and not _has_health(other) and ref not in app.ready_expressions:
                yield Advice(
                    name="dependency-without-health",
                    ref=app.ref,
                    path=mentions.find(evidence.objects[app.ref].document, ref),
                    message=f"depends on {ref}, which has neither wait nor healthChecks: it counts as ready before it runs",
                )


def same_place(evidence: Evidence) -> Iterator[Advice]:
    """Two environments that one commit changes at the same moment."""
    first: dict[tuple[object, ...], AppIntent] = {}
    for app in evidence.apps():
        path, source = evidence.spec(app.ref).get("path"), evidence.intents.get(app.source)
        if not isinstance(path, str) or not isinstance(source, SourceIntent):
            continue
        revision = repr(evidence.spec(app.source).get("ref"))
        before = first.setdefault((source.content, revision, posixpath.normpath(path.lstrip("/"))), app)
        if before is not app and _place(before) != _place(app):
            yield Advice(
                name="same-place",
                ref=app.ref,
                path=("spec", "path"),
                message=f"reads the same path of the same revision as {before.ref}, for another cluster: every commit changes "
                "both at once; give each environment a path or a branch",
            )


def owns_nothing(evidence: Evidence) -> Iterator[Advice]:
    """Most likely a wrong path."""
    for app in evidence.apps():
        if app.ref in evidence.rendered and not evidence.rendered[app.ref]:
            yield Advice(
                name="owns-nothing",
                ref=app.ref,
                path=("spec", "path"),
                message="renders no object at all; check spec.path",
            )


def long_name(evidence: Evidence) -> Iterator[Advice]:
    """Owner labels hold a hash instead of the name, so that selecting by it finds nothing."""
    for ref in sorted(evidence.objects):
        if len(ref.name) > LONGEST and isinstance(evidence.intents.get(ref), AppIntent):
            yield Advice(
                name="long-name",
                ref=ref,
                path=("metadata", "name"),
                message=f"the name has {len(ref.name)} characters, and labels hold {LONGEST}: Flux refuses it, and here the "
                "owner label is a hash",
            )


def old_version(evidence: Evidence) -> Iterator[Advice]:
    """A declared object in a version that Flux takes away."""
    for ref, declared in sorted(evidence.objects.items()):
        group, _, version = str(declared.document.get("apiVersion", "")).rpartition("/")
        newest = evidence.newest.get(ref.kind)
        if newest and version != newest:
            path = ("apiVersion",)
            edit = None if _old_fields(evidence, ref) else Edit(path=path, value=f"{group}/{newest}")
            message = f"{group}/{version} is deprecated; use {group}/{newest}"
            yield Advice(name="old-version", ref=ref, path=path, message=message, edit=edit)


def removed_version(evidence: Evidence) -> Iterator[Advice]:
    """Manifests that newer clusters refuse."""
    for app in evidence.apps():
        found = [
            (id, version, use)
            for id, version in sorted(evidence.rendered.get(app.ref, {}).items())
            if (use := removed.instead(id.group, version, id.kind))
        ]
        for id, version, use in found[:SHOWN]:
            more = (
                f", and {len(found) - SHOWN} more like it" if len(found) > SHOWN and id == found[SHOWN - 1][0] else ""
            )
            yield Advice(
                name="removed-version",
                ref=app.ref,
                path=("spec", "path"),
                message=f"renders {id} as {id.group}/{version}; use {use}{more}",
            )


def claimed_twice(evidence: Evidence) -> Iterator[Advice]:
    """Two apps that would take an object from each other."""
    owners: dict[tuple[object, ResourceId], AppIntent] = {}
    shared: dict[tuple[ObjectRef, ObjectRef], list[ResourceId]] = {}
    for app in evidence.apps():
        for id in sorted(evidence.rendered.get(app.ref, {})):
            owner = owners.setdefault((_place(app), id), app)
            if owner is not app:
                shared.setdefault((app.ref, owner.ref), []).append(id)
    for (ref, owner_ref), ids in shared.items():
        names = ", ".join(map(str, ids[:SHOWN])) + (f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else "")
        yield Advice(
            name="claimed-twice",
            ref=ref,
            path=("spec", "path"),
            message=f"wants {names}, which {owner_ref} wants, too; only one app can own an object",
        )


TABLE: Mapping[str, Rule] = {
    "prune-off": prune_off,
    "slow-source": slow_source,
    "no-health": no_health,
    "dependency-without-health": dependency_without_health,
    "same-place": same_place,
    "owns-nothing": owns_nothing,
    "long-name": long_name,
    "old-version": old_version,
    "removed-version": removed_version,
    "claimed-twice": claimed_twice,
}


def given(evidence: Evidence) -> tuple[Advice, ...]:
    """All advice on what is there, in the order of the table."""
    return tuple(advice for rule in TABLE.values() for advice in rule(evidence))


def _has_health(app: AppIntent) -> bool:
    return bool(app.wait or app.health_checks)


def _place(app: AppIntent) -> tuple[object, ...]:
    """Which cluster an app goes to."""
    return app.cluster, app.kubeconfig


def _old_fields(evidence: Evidence, ref: ObjectRef) -> bool:
    """Whether it has fields that only the old version knows: more to change than the version."""
    intent = evidence.intents.get(ref)
    warnings = intent.warnings if isinstance(intent, AppIntent | SourceIntent) else ()
    return any("apiVersion" not in warning for warning in warnings) or any(
        name in evidence.spec(ref) for name in ("patchesStrategicMerge", "patchesJson6902")
    )

"""What a Kustomization waits for, before (dependsOn) and after (healthChecks, healthCheckExprs). Pure."""

from __future__ import annotations

from collections.abc import Mapping

from gitopsd.plugin import HealthCheck, HealthExpression, ObjectRef, ResourceId, SpecError
from gitopsd_plugins.kustomize.app.spec import CheckedObject, Dependency, HealthExpressions, KustomizationSpec


def dependencies(found: KustomizationSpec, ref: ObjectRef) -> tuple[ObjectRef, ...]:
    """The Kustomizations that must be ready before."""
    return tuple(_named(d, ref) for d in found.depends_on)


def ready_expressions(found: KustomizationSpec, ref: ObjectRef) -> Mapping[ObjectRef, str]:
    """When a dependency is ready, where its `readyExpr` says so; several of one dependency must all be true."""
    made: dict[ObjectRef, str] = {}
    for wanted in found.depends_on:
        if wanted.ready_expr:
            name = _named(wanted, ref)
            made[name] = f"({made[name]}) && ({wanted.ready_expr})" if name in made else wanted.ready_expr
    return made


def objects(found: KustomizationSpec) -> tuple[HealthCheck, ...]:
    """`healthChecks`, which `wait` makes void."""
    return () if found.wait else tuple(map(_check, found.health_checks))


def health_expressions(found: KustomizationSpec) -> tuple[HealthExpression, ...]:
    """`healthCheckExprs`. Raises `SpecError` for two of the same kind, and for one without `current`."""
    seen: set[tuple[str, str]] = set()
    made = []
    for index, wanted in enumerate(found.health_check_exprs):
        path = ("spec", "healthCheckExprs", index)
        group = wanted.api_version.rpartition("/")[0]
        if (group, wanted.kind) in seen:
            raise SpecError(f"a second entry for {wanted.kind or 'every kind'} of {wanted.api_version}", path=path)
        if not wanted.current.strip():
            raise SpecError("is empty; write when the object is healthy", path=(*path, "current"))
        seen.add((group, wanted.kind))
        made.append(_expression(group, wanted))
    return tuple(made)


def _expression(group: str, wanted: HealthExpressions) -> HealthExpression:
    return HealthExpression(
        group=group,
        kind=wanted.kind,
        current=wanted.current,
        in_progress=wanted.in_progress,
        failed=wanted.failed,
    )


def _named(wanted: Dependency, ref: ObjectRef) -> ObjectRef:
    return ObjectRef(kind=ref.kind, namespace=wanted.namespace or ref.namespace, name=wanted.name)


def _check(wanted: CheckedObject) -> HealthCheck:
    group, _, version = wanted.api_version.rpartition("/")
    identity = ResourceId(group=group, kind=wanted.kind, namespace=wanted.namespace, name=wanted.name)
    return HealthCheck(id=identity, version=version)

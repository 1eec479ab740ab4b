"""The order in which objects are written: Flux's stages, and Flux's order of kinds inside each. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from gitopsd.plugin import Manifest, Stage

_DEFINITIONS = frozenset(
    {
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("", "Namespace"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
    }
)
_FIRST = (
    "CustomResourceDefinition",
    "Namespace",
    "ClusterRole",
    "ClusterClass",
    "RuntimeClass",
    "PriorityClass",
    "StorageClass",
    "VolumeSnapshotClass",
    "IngressClass",
    "GatewayClass",
    "ClusterRoleBinding",
    "ResourceQuota",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
    "LimitRange",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
)
_SETTLED = {"definitions", "classes"}
_LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_RANK = {
    **{kind: rank for rank, kind in enumerate(_FIRST)},
    **{kind: len(_FIRST) + 1 + rank for rank, kind in enumerate(_LAST)},
}


def of(manifests: Sequence[Manifest], before: Collection[tuple[str, str]] = ()) -> tuple[Stage, ...]:
    """Definitions, then classes, then the kinds (group, kind) of `before`, then the rest; empty stages are left out."""
    parts: dict[str, list[Manifest]] = {"definitions": [], "classes": [], "before": [], "objects": []}
    for manifest in manifests:
        parts[_stage(manifest, before)].append(manifest)
    return tuple(
        Stage(name=name, manifests=_ordered(chosen), settle=name in _SETTLED)
        for name, chosen in parts.items()
        if chosen
    )


def _stage(manifest: Manifest, before: Collection[tuple[str, str]]) -> str:
    if _is_definition(manifest):
        return "definitions"
    if manifest.id.kind.endswith("Class"):
        return "classes"
    return "before" if (manifest.id.group, manifest.id.kind) in before else "objects"


def _is_definition(manifest: Manifest) -> bool:
    return (manifest.id.group, manifest.id.kind) in _DEFINITIONS


def _ordered(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    return tuple(sorted(manifests, key=_key))


def _key(manifest: Manifest) -> tuple[int, str, str, str, str]:
    it = manifest.id
    return (_RANK.get(it.kind, len(_FIRST)), it.group, it.kind, it.namespace, it.name)

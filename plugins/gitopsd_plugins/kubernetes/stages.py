"""The order in which objects are written: Flux's stages, and Flux's order of kinds inside each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
_LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_RANK = {
    **{kind: rank for rank, kind in enumerate(_FIRST)},
    **{kind: len(_FIRST) + 1 + rank for rank, kind in enumerate(_LAST)},
}


def of(manifests: Sequence[Manifest]) -> tuple[Stage, ...]:
    """Definitions, then classes, then the rest; stages without objects are left out."""
    parts = (
        ("definitions", (m for m in manifests if _is_definition(m)), True),
        ("classes", (m for m in manifests if not _is_definition(m) and m.id.kind.endswith("Class")), True),
        ("objects", (m for m in manifests if not _is_definition(m) and not m.id.kind.endswith("Class")), False),
    )
    stages = (Stage(name=name, manifests=_ordered(chosen), settle=settle) for name, chosen, settle in parts)
    return tuple(stage for stage in stages if stage.manifests)


def _is_definition(manifest: Manifest) -> bool:
    return (manifest.id.group, manifest.id.kind) in _DEFINITIONS


def _ordered(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    return tuple(sorted(manifests, key=_key))


def _key(manifest: Manifest) -> tuple[int, str, str, str, str]:
    it = manifest.id
    return (_RANK.get(it.kind, len(_FIRST)), it.group, it.kind, it.namespace, it.name)

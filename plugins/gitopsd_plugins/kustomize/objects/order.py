"""The order in which a build prints its objects: as they came, or kustomize's "legacy" order by kind.

The legacy order compares whole texts with separators, not the parts one after the other; the separators sort in their
own way, so the texts are made as kustomize makes them.
"""

from __future__ import annotations

from collections.abc import Sequence

from gitopsd_plugins.kustomize.objects.identity import Gvk
from gitopsd_plugins.kustomize.objects.resource import Resource

FIRST = (
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
)
LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


def legacy(resources: Sequence[Resource], first: Sequence[str] = FIRST, last: Sequence[str] = LAST) -> list[Resource]:
    """The resources sorted by kind, then namespace and name."""
    ranks = _ranks(first, last)
    return sorted(resources, key=lambda r: (*_kind_key(r.gvk, ranks), f"{r.namespace or '~X'}|{r.name or '~N'}"))


def kind_rank(gvk: Gvk) -> tuple[int, str]:
    """Where a kind stands among others in the default order."""
    return _DEFAULT.get(gvk.kind, 0), _text(gvk)


def _kind_key(gvk: Gvk, ranks: dict[str, int]) -> tuple[int, int, str]:
    """The core Namespace goes before kinds of the same name from other groups, against the texts' order."""
    foreign = 1 if gvk.kind == "Namespace" and gvk.group else 0
    return ranks.get(gvk.kind, 0), foreign, _text(gvk)


def _text(gvk: Gvk) -> str:
    return f"{gvk.group or '~G'}_{gvk.version or '~V'}_{gvk.kind or '~K'}"


def _ranks(first: Sequence[str], last: Sequence[str]) -> dict[str, int]:
    ranks = {kind: index - len(first) for index, kind in enumerate(first)}
    return ranks | {kind: index + 1 for index, kind in enumerate(last)}


_DEFAULT = _ranks(FIRST, LAST)

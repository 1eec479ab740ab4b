"""How kustomize tells objects apart: by group, version, kind, name and *effective* namespace.

The namespace that counts is "default" where none is written, and one shared mark for cluster-wide kinds. Which kinds
are cluster-wide is kustomize's own table, frozen with its Kubernetes 1.21 schema: a newer table would give other
results (a cluster-wide kind that it does not know gets `metadata.namespace` like any other).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from gitopsd_plugins.kustomize.objects.spelled import Spelled

CLUSTER = "_non_namespaceable_"
DEFAULT = "default"

_CLUSTER_WIDE = {
    "": ("v1", "ComponentStatus Namespace Node NodeProxyOptions PersistentVolume"),
    "admissionregistration.k8s.io": ("v1 v1beta1", "MutatingWebhookConfiguration ValidatingWebhookConfiguration"),
    "apiextensions.k8s.io": ("v1 v1beta1", "CustomResourceDefinition"),
    "apiregistration.k8s.io": ("v1 v1beta1", "APIService"),
    "certificates.k8s.io": ("v1 v1beta1", "CertificateSigningRequest"),
    "flowcontrol.apiserver.k8s.io": ("v1beta1", "FlowSchema PriorityLevelConfiguration"),
    "networking.k8s.io": ("v1 v1beta1", "IngressClass"),
    "node.k8s.io": ("v1 v1beta1", "RuntimeClass"),
    "policy": ("v1beta1", "PodSecurityPolicy"),
    "rbac.authorization.k8s.io": ("v1 v1beta1", "ClusterRole ClusterRoleBinding"),
    "scheduling.k8s.io": ("v1 v1beta1", "PriorityClass"),
    "storage.k8s.io": ("v1 v1beta1", "CSIDriver CSINode StorageClass VolumeAttachment"),
}


class Gvk(NamedTuple):
    """Group, version and kind; empty parts of a selecting one match anything."""

    group: str = ""
    version: str = ""
    kind: str = ""

    def selected(self, by: Gvk) -> bool:
        """True when every part that `by` names is equal."""
        return (
            (not by.kind or by.kind == self.kind)
            and (not by.group or by.group == self.group)
            and (not by.version or by.version == self.version)
        )

    @property
    def cluster_wide(self) -> bool:
        """True for kinds that kustomize knows to have no namespace."""
        return self in CLUSTER_WIDE

    def __str__(self) -> str:
        return f"{self.kind or '[noKind]'}.{self.version or '[noVer]'}.{self.group or '[noGrp]'}"


class Id(NamedTuple):
    """An object; `namespace` is the effective one."""

    gvk: Gvk
    name: str
    namespace: str

    def __str__(self) -> str:
        return f"{self.gvk}/{self.name or '[noName]'}.{'[noNs]' if self.namespace == CLUSTER else self.namespace}"


CLUSTER_WIDE = frozenset(
    Gvk(group, version, kind)
    for group, (versions, kinds) in _CLUSTER_WIDE.items()
    for version in versions.split()
    for kind in kinds.split()
)


def gvk_of(body: Mapping[str, Any]) -> Gvk:
    """Group, version and kind as a document states them."""
    api_version, kind = body.get("apiVersion"), body.get("kind")
    if type(api_version) is str and type(kind) is str:
        return _gvk(api_version, kind)
    return _gvk(text(api_version), text(kind))


@lru_cache(maxsize=4096)
def _gvk(api_version: str, kind: str) -> Gvk:
    group, slash, version = api_version.partition("/")
    return Gvk(group, version, kind) if slash else Gvk("", group, kind)


def effective(gvk: Gvk, namespace: str) -> str:
    """The namespace that counts when objects are told apart."""
    return CLUSTER if gvk.cluster_wide else namespace or DEFAULT


def text(value: Any) -> str:
    """A scalar as it stands in YAML; '' for null, lists and maps."""
    if isinstance(value, str):
        return str(value) if isinstance(value, Spelled) else value
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
    return ""

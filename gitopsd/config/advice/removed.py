"""Versions of Kubernetes' own kinds that are deprecated or gone: (group, version, kind) -> what to use. A table and nothing else.

`kind` '*' stands for every kind of the group's version. From the project's deprecation guide.
"""

from __future__ import annotations

from collections.abc import Mapping

APPS = "apps/v1 (gone since 1.16)"
RBAC = "rbac.authorization.k8s.io/v1 (gone since 1.22)"
FLOW = "flowcontrol.apiserver.k8s.io/v1"

REMOVED: Mapping[tuple[str, str, str], str] = {
    ("extensions", "v1beta1", "Deployment"): APPS,
    ("extensions", "v1beta1", "DaemonSet"): APPS,
    ("extensions", "v1beta1", "ReplicaSet"): APPS,
    ("extensions", "v1beta1", "NetworkPolicy"): "networking.k8s.io/v1 (gone since 1.16)",
    ("extensions", "v1beta1", "PodSecurityPolicy"): "pod security admission (gone since 1.16)",
    ("extensions", "v1beta1", "Ingress"): "networking.k8s.io/v1 (gone since 1.22)",
    ("apps", "v1beta1", "*"): APPS,
    ("apps", "v1beta2", "*"): APPS,
    ("admissionregistration.k8s.io", "v1beta1", "*"): "admissionregistration.k8s.io/v1 (gone since 1.22)",
    ("apiextensions.k8s.io", "v1beta1", "*"): "apiextensions.k8s.io/v1 (gone since 1.22)",
    ("apiregistration.k8s.io", "v1beta1", "*"): "apiregistration.k8s.io/v1 (gone since 1.22)",
    ("certificates.k8s.io", "v1beta1", "*"): "certificates.k8s.io/v1 (gone since 1.22)",
    ("coordination.k8s.io", "v1beta1", "*"): "coordination.k8s.io/v1 (gone since 1.22)",
    ("networking.k8s.io", "v1beta1", "Ingress"): "networking.k8s.io/v1 (gone since 1.22)",
    ("networking.k8s.io", "v1beta1", "IngressClass"): "networking.k8s.io/v1 (gone since 1.22)",
    ("rbac.authorization.k8s.io", "v1alpha1", "*"): RBAC,
    ("rbac.authorization.k8s.io", "v1beta1", "*"): RBAC,
    ("scheduling.k8s.io", "v1beta1", "*"): "scheduling.k8s.io/v1 (gone since 1.22)",
    ("storage.k8s.io", "v1beta1", "CSIDriver"): "storage.k8s.io/v1 (gone since 1.22)",
    ("storage.k8s.io", "v1beta1", "CSINode"): "storage.k8s.io/v1 (gone since 1.22)",
    ("storage.k8s.io", "v1beta1", "StorageClass"): "storage.k8s.io/v1 (gone since 1.22)",
    ("storage.k8s.io", "v1beta1", "VolumeAttachment"): "storage.k8s.io/v1 (gone since 1.22)",
    ("storage.k8s.io", "v1beta1", "CSIStorageCapacity"): "storage.k8s.io/v1 (gone since 1.27)",
    ("batch", "v1beta1", "CronJob"): "batch/v1 (gone since 1.25)",
    ("discovery.k8s.io", "v1beta1", "EndpointSlice"): "discovery.k8s.io/v1 (gone since 1.25)",
    ("events.k8s.io", "v1beta1", "Event"): "events.k8s.io/v1 (gone since 1.25)",
    ("policy", "v1beta1", "PodDisruptionBudget"): "policy/v1 (gone since 1.25)",
    ("policy", "v1beta1", "PodSecurityPolicy"): "pod security admission (gone since 1.25)",
    ("node.k8s.io", "v1beta1", "RuntimeClass"): "node.k8s.io/v1 (gone since 1.25)",
    ("autoscaling", "v2beta1", "HorizontalPodAutoscaler"): "autoscaling/v2 (gone since 1.25)",
    ("autoscaling", "v2beta2", "HorizontalPodAutoscaler"): "autoscaling/v2 (gone since 1.26)",
    ("flowcontrol.apiserver.k8s.io", "v1beta1", "*"): f"{FLOW} (gone since 1.26)",
    ("flowcontrol.apiserver.k8s.io", "v1beta2", "*"): f"{FLOW} (gone since 1.29)",
    ("flowcontrol.apiserver.k8s.io", "v1beta3", "*"): f"{FLOW} (gone since 1.32)",
    ("", "v1", "ComponentStatus"): "nothing (deprecated since 1.19)",
    ("", "v1", "Endpoints"): "discovery.k8s.io/v1 EndpointSlice (deprecated since 1.33)",
}


def instead(group: str, version: str, kind: str) -> str:
    """What to use instead; '' for a version that stays."""
    return REMOVED.get((group, version, kind)) or REMOVED.get((group, version, "*"), "")

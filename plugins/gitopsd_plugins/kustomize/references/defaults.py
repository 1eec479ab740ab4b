"""kustomize's built-in field specifications: where labels, annotations, images, replicas and namespaces stand."""

from __future__ import annotations

from gitopsd_plugins.kustomize.objects.identity import Gvk
from gitopsd_plugins.kustomize.references.fieldspec import FieldSpec

_TEMPLATED = (
    Gvk(version="v1", kind="ReplicationController"),
    Gvk(kind="Deployment"),
    Gvk(kind="ReplicaSet"),
    Gvk(kind="DaemonSet"),
)
_STATEFUL = Gvk(group="apps", kind="StatefulSet")
_JOB, _CRON = Gvk(group="batch", kind="Job"), Gvk(group="batch", kind="CronJob")


def _templates(field: str, stateful: Gvk) -> tuple[FieldSpec, ...]:
    template = f"spec/template/metadata/{field}"
    return (
        *(FieldSpec(template, gvk, True) for gvk in (*_TEMPLATED, stateful, _JOB)),
        FieldSpec(f"spec/jobTemplate/metadata/{field}", _CRON, True),
        FieldSpec(f"spec/jobTemplate/spec/template/metadata/{field}", _CRON, True),
    )


def _affinities(gvk: Gvk) -> tuple[FieldSpec, ...]:
    pod = "spec/template/spec"
    preferred = "preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm"
    return (
        *(
            FieldSpec(f"{pod}/affinity/{sort}/{term}/labelSelector/matchLabels", gvk)
            for sort in ("podAffinity", "podAntiAffinity")
            for term in (preferred, "requiredDuringSchedulingIgnoredDuringExecution")
        ),
        FieldSpec(f"{pod}/topologySpreadConstraints/labelSelector/matchLabels", gvk),
    )


METADATA_LABELS = FieldSpec("metadata/labels", create=True)

TEMPLATE_LABELS = (
    METADATA_LABELS,
    *_templates("labels", _STATEFUL),
    FieldSpec("spec/volumeClaimTemplates[]/metadata/labels", _STATEFUL, True),
)

COMMON_LABELS = (
    FieldSpec("spec/selector", Gvk(version="v1", kind="Service"), True),
    FieldSpec("spec/selector", Gvk(version="v1", kind="ReplicationController"), True),
    FieldSpec("spec/selector/matchLabels", Gvk(kind="Deployment"), True),
    *_affinities(Gvk(group="apps", kind="Deployment")),
    FieldSpec("spec/selector/matchLabels", Gvk(kind="ReplicaSet"), True),
    FieldSpec("spec/selector/matchLabels", Gvk(kind="DaemonSet"), True),
    FieldSpec("spec/selector/matchLabels", _STATEFUL, True),
    *_affinities(_STATEFUL),
    FieldSpec("spec/selector/matchLabels", _JOB),
    FieldSpec("spec/jobTemplate/spec/selector/matchLabels", _CRON),
    FieldSpec("spec/selector/matchLabels", Gvk(group="policy", kind="PodDisruptionBudget")),
    *(
        FieldSpec(path, Gvk(group="networking.k8s.io", kind="NetworkPolicy"))
        for path in (
            "spec/podSelector/matchLabels",
            "spec/ingress/from/podSelector/matchLabels",
            "spec/egress/to/podSelector/matchLabels",
        )
    ),
    *TEMPLATE_LABELS,
)

COMMON_ANNOTATIONS = (
    FieldSpec("metadata/annotations", create=True),
    *_templates("annotations", Gvk(kind="StatefulSet")),
)

NAMES = (FieldSpec("metadata/name"),)

NAMESPACES = (
    FieldSpec("metadata/name", Gvk(kind="Namespace"), True),
    FieldSpec("spec/service/namespace", Gvk(group="apiregistration.k8s.io", kind="APIService"), True),
    FieldSpec(
        "spec/conversion/webhook/clientConfig/service/namespace",
        Gvk(group="apiextensions.k8s.io", kind="CustomResourceDefinition"),
    ),
)

IMAGES = tuple(
    FieldSpec(f"{pod}/{path}", create=True)
    for pod in ("spec", "spec/template/spec")
    for path in ("containers[]/image", "initContainers[]/image", "volumes[]/image/reference")
)

REPLICAS = tuple(
    FieldSpec("spec/replicas", Gvk(kind=kind), True)
    for kind in ("Deployment", "ReplicationController", "ReplicaSet", "StatefulSet")
)

"""kustomize's built-in table of name references: which fields of which kinds name an object of another kind."""

from __future__ import annotations

from dataclasses import dataclass

from gitopsd_plugins.kustomize.objects.identity import Gvk
from gitopsd_plugins.kustomize.objects.order import kind_rank
from gitopsd_plugins.kustomize.references.fieldspec import FieldSpec

_RBAC, _ADMISSION = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"
_POD = {
    "Pod": "spec",
    "PodTemplate": "template/spec",
    **dict.fromkeys(
        ("Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job", "ReplicationController"), "spec/template/spec"
    ),
    "CronJob": "spec/jobTemplate/spec/template/spec",
}
_CONFIG_KINDS = ("Pod", "PodTemplate", "Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job", "CronJob")
_POD_KINDS = ("Pod", "StatefulSet", "Deployment", "ReplicationController", "CronJob", "Job", "DaemonSet")


@dataclass(frozen=True, slots=True)
class References:
    """Fields that may name an object of the kind `target`."""

    target: Gvk
    fields: tuple[FieldSpec, ...]


def _in_pods(kinds: tuple[str, ...], *paths: str, version: str = "") -> tuple[FieldSpec, ...]:
    return tuple(
        FieldSpec(f"{_POD[kind]}/{path}", Gvk(version=version if kind == "Pod" else "", kind=kind))
        for kind in kinds
        for path in paths
    )


def _in(kind: str, *paths: str, group: str = "", version: str = "") -> tuple[FieldSpec, ...]:
    return tuple(FieldSpec(path, Gvk(group, version, kind)) for path in paths)


def _scale(kind: str) -> References:
    return References(Gvk(kind=kind), _in("HorizontalPodAutoscaler", "spec/scaleTargetRef/name"))


def _sources(key: str, reference: str) -> tuple[str, ...]:
    return tuple(
        path
        for group in ("containers", "initContainers")
        for path in (f"{group}/env/valueFrom/{key}/name", f"{group}/envFrom/{reference}/name")
    )


_NAMED_RESOURCES = (*_in("Role", "rules/resourceNames"), *_in("ClusterRole", "rules/resourceNames"))

_CONFIG_MAP = References(
    Gvk(version="v1", kind="ConfigMap"),
    (
        *_in_pods(
            _CONFIG_KINDS,
            "volumes/configMap/name",
            *_sources("configMapKeyRef", "configMapRef"),
            "volumes/projected/sources/configMap/name",
            version="v1",
        ),
        *_in("Node", "spec/configSource/configMap"),
        *_NAMED_RESOURCES,
        *_in("Ingress", r"metadata/annotations/nginx.ingress.kubernetes.io\/fastcgi-params-configmap"),
    ),
)
_SECRET = References(
    Gvk(version="v1", kind="Secret"),
    (
        *_in_pods(
            _CONFIG_KINDS,
            "volumes/secret/secretName",
            *_sources("secretKeyRef", "secretRef"),
            "imagePullSecrets/name",
            "volumes/projected/sources/secret/name",
            version="v1",
        ),
        *_in(
            "Ingress",
            "spec/tls/secretName",
            r"metadata/annotations/ingress.kubernetes.io\/auth-secret",
            r"metadata/annotations/nginx.ingress.kubernetes.io\/auth-secret",
            r"metadata/annotations/nginx.ingress.kubernetes.io\/auth-tls-secret",
        ),
        *_in("ServiceAccount", "imagePullSecrets/name"),
        *_in(
            "StorageClass",
            *(f"parameters/{key}" for key in ("secretName", "adminSecretName", "userSecretName", "secretRef")),
        ),
        *_NAMED_RESOURCES,
        *_in(
            "Service",
            "spec/template/spec/containers/env/valueFrom/secretKeyRef/name",
            group="serving.knative.dev",
            version="v1",
        ),
        *_in("PersistentVolume", "spec/azureFile/secretName"),
    ),
)
_SERVICE = References(
    Gvk(version="v1", kind="Service"),
    (
        *_in("StatefulSet", "spec/serviceName", group="apps"),
        *_in(
            "Ingress",
            "spec/rules/http/paths/backend/serviceName",
            "spec/backend/serviceName",
            "spec/rules/http/paths/backend/service/name",
            "spec/defaultBackend/service/name",
        ),
        *_in("APIService", "spec/service/name", group="apiregistration.k8s.io"),
        *_in("ValidatingWebhookConfiguration", "webhooks/clientConfig/service", group=_ADMISSION),
        *_in("MutatingWebhookConfiguration", "webhooks/clientConfig/service", group=_ADMISSION),
    ),
)

REFERENCES = tuple(
    sorted(
        (
            *map(_scale, ("Deployment", "ReplicationController", "ReplicaSet", "StatefulSet")),
            _CONFIG_MAP,
            _SECRET,
            _SERVICE,
            References(Gvk(group=_RBAC, kind="Role"), _in("RoleBinding", "roleRef/name", group=_RBAC)),
            References(
                Gvk(group=_RBAC, kind="ClusterRole"),
                (
                    *_in("RoleBinding", "roleRef/name", group=_RBAC),
                    *_in("ClusterRoleBinding", "roleRef/name", group=_RBAC),
                ),
            ),
            References(
                Gvk(version="v1", kind="ServiceAccount"),
                (
                    *_in("RoleBinding", "subjects", group=_RBAC),
                    *_in("ClusterRoleBinding", "subjects", group=_RBAC),
                    *_in_pods(_POD_KINDS, "serviceAccountName"),
                ),
            ),
            References(
                Gvk(version="v1", kind="PersistentVolumeClaim"),
                _in_pods(_POD_KINDS, "volumes/persistentVolumeClaim/claimName"),
            ),
            References(
                Gvk(version="v1", kind="PersistentVolume"),
                (*_in("PersistentVolumeClaim", "spec/volumeName"), *_in("ClusterRole", "rules/resourceNames")),
            ),
            References(
                Gvk("storage.k8s.io", "v1", "StorageClass"),
                (
                    *_in("PersistentVolume", "spec/storageClassName"),
                    *_in("PersistentVolumeClaim", "spec/storageClassName"),
                    *_in("StatefulSet", "spec/volumeClaimTemplates/spec/storageClassName"),
                ),
            ),
            References(Gvk("scheduling.k8s.io", "v1", "PriorityClass"), _in_pods(_POD_KINDS, "priorityClassName")),
            References(
                Gvk(group=_ADMISSION, kind="ValidatingAdmissionPolicy"),
                _in("ValidatingAdmissionPolicyBinding", "spec/policyName", group=_ADMISSION),
            ),
        ),
        key=lambda r: kind_rank(r.target),
    )
)

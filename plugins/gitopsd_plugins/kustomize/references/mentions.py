"""kustomize's built-in table of fields in which `$(NAME)` mentions a variable."""

from __future__ import annotations

from gitopsd_plugins.kustomize.objects.identity import Gvk
from gitopsd_plugins.kustomize.references.fieldspec import FieldSpec

_PODS = {
    "CronJob": "spec/jobTemplate/spec/template/spec",
    **dict.fromkeys(("DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet"), "spec/template/spec"),
    "Pod": "spec",
}
_ELSEWHERE = {
    "CronJob": ("spec/jobTemplate/spec/template/volumes/nfs/server",),
    "DaemonSet": ("spec/template/spec/volumes/nfs/server",),
    "Deployment": ("spec/template/spec/volumes/nfs/server", "spec/template/metadata/annotations"),
    "Ingress": ("spec/rules/host", "spec/tls/hosts", "spec/tls/secretName"),
    "Job": ("spec/template/spec/volumes/nfs/server",),
    "PersistentVolume": ("spec/nfs/server",),
    "Pod": ("spec/volumes/nfs/server",),
    "ReplicaSet": ("spec/template/spec/volumes/nfs/server",),
    "Service": ("spec/ports/port", "spec/ports/targetPort"),
    "StatefulSet": ("spec/volumeClaimTemplates/spec/nfs/server",),
    "": ("metadata/labels", "metadata/annotations"),
}

MENTIONS = (
    *(
        FieldSpec(f"{pod}/{group}/{field}", Gvk(kind=kind))
        for kind, pod in _PODS.items()
        for group in ("containers", "initContainers")
        for field in ("args", "command", "env/value", "volumeMounts/mountPath")
    ),
    *(FieldSpec(path, Gvk(kind=kind)) for kind, paths in _ELSEWHERE.items() for path in paths),
)

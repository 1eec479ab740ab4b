"""What a cluster must have before the Kustomizations of a configuration can act: namespace, service account, rights. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gitopsd.plugin.imports import Imported
from gitopsd_plugins.aks.sheet import Subject

_RBAC = "rbac.authorization.k8s.io"


def mapped(subject: Subject, scope: str, account: str) -> Sequence[Imported]:
    """For scope `cluster` full rights, for `namespace` all rights in it; without an account the namespace only."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": subject.namespace}}
    if not account:
        return [_object(subject, namespace)]
    name = {"name": account, "namespace": subject.namespace}
    labelled = {**name, "labels": subject.labels}
    holder = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": labelled}
    subjects = [{"kind": "ServiceAccount", **name}]
    if scope == "cluster":
        binding = {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"{account}-{subject.namespace}", "labels": subject.labels},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": subjects,
        }
        return [_object(subject, body) for body in (namespace, holder, binding)]
    role = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "Role",
        "metadata": labelled,
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
    }
    bound = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": labelled,
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": account},
        "subjects": subjects,
    }
    return [_object(subject, body) for body in (namespace, holder, role, bound)]


def _object(subject: Subject, body: Mapping[str, Any]) -> Imported:
    return Imported(body=body, heading=f"{subject.place}: {subject.name}", file=subject.name, declared=False)

"""What a new cluster holds before anyone writes: namespaces, the Service of the API server, the usual cluster roles."""

from __future__ import annotations

from gitopsd_plugins.sandbox.access import rbac
from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests.call import Call, Target
from gitopsd_plugins.sandbox.requests.user import ADMIN, MASTERS
from gitopsd_plugins.sandbox.storage.store import encode
from gitopsd_plugins.sandbox.verbs import creation

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


def furnish(cluster: Cluster) -> None:
    """Create what every cluster has."""
    for name in NAMESPACES:
        _create(cluster, "v1", "namespaces", {"kind": "Namespace", "metadata": {"name": name}})
    ports = [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]
    labels = {"component": "apiserver", "provider": "kubernetes"}
    service = {"metadata": {"name": "kubernetes", "labels": labels}, "spec": {"clusterIP": "10.0.0.1", "ports": ports}}
    _create(cluster, "v1", "services", {"kind": "Service", **service}, "default")
    _furnish_roles(cluster)


def _furnish_roles(cluster: Cluster) -> None:
    version = f"{rbac.GROUP}/v1"
    for name, rules in rbac.ROLES.items():
        _create(cluster, version, "clusterroles", {"kind": "ClusterRole", "metadata": {"name": name}, "rules": rules})
    reference = {"apiGroup": rbac.GROUP, "kind": "ClusterRole", "name": "cluster-admin"}
    subjects = [{"apiGroup": rbac.GROUP, "kind": "Group", "name": MASTERS}]
    binding = {"metadata": {"name": "cluster-admin"}, "roleRef": reference, "subjects": subjects}
    _create(cluster, version, "clusterrolebindings", {"kind": "ClusterRoleBinding", **binding})


def _create(cluster: Cluster, api_version: str, plural: str, body: Json, namespace: str = "") -> None:
    resource = cluster.resources.find(api_version.rpartition("/")[0], "v1", plural)
    assert resource is not None, plural
    target = Target(resource=resource, namespace=namespace)
    creation.create(
        cluster,
        Call(
            verb="create",
            target=target,
            user=ADMIN,
            agent="kube-apiserver",
            body=encode({"apiVersion": api_version, **body}),
        ),
    )

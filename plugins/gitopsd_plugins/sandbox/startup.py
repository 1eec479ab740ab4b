"""What a new cluster holds before anyone writes: its namespaces, and the Service of the API server."""

from __future__ import annotations

from gitopsd_plugins.sandbox import writes
from gitopsd_plugins.sandbox.access import ADMIN
from gitopsd_plugins.sandbox.call import Call, Target
from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.schema import Json
from gitopsd_plugins.sandbox.store import encode

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


def furnish(cluster: Cluster) -> None:
    """Create what every cluster has."""
    for name in NAMESPACES:
        _create(cluster, "namespaces", "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    ports = [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]
    labels = {"component": "apiserver", "provider": "kubernetes"}
    service = {"metadata": {"name": "kubernetes", "labels": labels}, "spec": {"clusterIP": "10.0.0.1", "ports": ports}}
    _create(cluster, "services", "default", {"apiVersion": "v1", "kind": "Service", **service})


def _create(cluster: Cluster, plural: str, namespace: str, body: Json) -> None:
    resource = cluster.resources.find("", "v1", plural)
    assert resource is not None, plural
    target = Target(resource=resource, namespace=namespace)
    writes.create(cluster, Call(verb="create", target=target, user=ADMIN, agent="kube-apiserver", body=encode(body)))

"""Namespaces: each gets its ServiceAccount and root certificates; a deleted one is emptied and then goes."""

from __future__ import annotations

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.controllers import own_writes
from gitopsd_plugins.sandbox.controllers.own_writes import MANAGER
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.storage.store import CollectionKey, Stored
from gitopsd_plugins.sandbox.verbs import deletion

AGAIN = 1.0
"""Seconds until a namespace that finalizers hold is looked at again."""
ACCOUNTS: CollectionKey = ("", "serviceaccounts")
CONFIG_MAPS: CollectionKey = ("", "configmaps")
ROOT_CA = "kube-root-ca.crt"


def look(cluster: Cluster, stored: Stored, now: float) -> float | None:
    """Furnish a namespace, or empty it."""
    if stored.doomed:
        wait = cluster.delays.left(stored.uid, "emptied", now, cluster.settings.settling)
        return wait if wait > 0 else _empty(cluster, stored)
    furnish(cluster, stored.key[1])
    return None


def furnish(cluster: Cluster, namespace: str) -> None:
    """Create what every namespace has, where it is missing."""
    if cluster.store.get(ACCOUNTS, (namespace, "default")) is None:
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": namespace},
        }
        own_writes.create(cluster, ACCOUNTS, account, MANAGER)
    if cluster.store.get(CONFIG_MAPS, (namespace, ROOT_CA)) is None:
        annotation = {"kubernetes.io/description": "Contains the certificates of this sandbox's API server."}
        metadata: Json = {"name": ROOT_CA, "namespace": namespace, "annotations": annotation}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": ""}}
        own_writes.create(cluster, CONFIG_MAPS, body, MANAGER)


def _empty(cluster: Cluster, stored: Stored) -> float | None:
    """Delete what is in the namespace; when nothing is left, the namespace goes too."""
    name = stored.key[1]
    for each in list(cluster.store.within(name)):
        deletion.mark(cluster, each, {})
    held = list(cluster.store.within(name))
    if held:
        own_writes.put_status(cluster, stored, _stuck(cluster, stored, held), MANAGER)
        return AGAIN
    spec = {**stored.body["spec"], "finalizers": []}
    written = cluster.store.put(
        stored.collection, stored.key, {**stored.body, "metadata": {**stored.metadata}, "spec": spec}
    )
    deletion.finish_if_free(cluster, written)
    return None


def _stuck(cluster: Cluster, stored: Stored, held: list[Stored]) -> Json:
    finalizers = sorted({name for each in held for name in each.metadata.get("finalizers", ())})
    named = ", ".join(
        f"{name} in {sum(name in each.metadata.get('finalizers', ()) for each in held)} resource instances"
        for name in finalizers
    )
    wanted = [
        {
            "type": "NamespaceContentRemaining",
            "status": "True",
            "reason": "SomeResourcesRemain",
            "message": f"{len(held)} objects remain",
        },
        {
            "type": "NamespaceFinalizersRemaining",
            "status": "True",
            "reason": "SomeFinalizersRemain",
            "message": f"Some content in the namespace has finalizers remaining: {named}",
        },
    ]
    conditions = own_writes.conditions(stored.body["status"].get("conditions", []), wanted, cluster.now())
    return {**stored.body["status"], "conditions": conditions}

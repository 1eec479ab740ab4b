"""Deployments and ReplicaSets: a Deployment keeps one ReplicaSet per template, a ReplicaSet keeps its pods.

The status follows the pods, so a Deployment is healthy when they are ready, and exceeds its progress deadline when its
image is a broken one (`pods.py` says which), both after the settling delay.
"""

from __future__ import annotations

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.controllers import own_writes, pods
from gitopsd_plugins.sandbox.controllers.own_writes import MANAGER
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.storage.store import Stored
from gitopsd_plugins.sandbox.verbs import deletion

REPLICA_SETS = ("apps", "replicasets")
HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"


def look(cluster: Cluster, stored: Stored, now: float) -> float | None:
    """Bring one Deployment's ReplicaSets and status a step further."""
    if stored.doomed:
        return None
    sets = _sets(cluster, stored)
    current = _current(cluster, stored, sets)
    if current is None:
        return None  # a new one wakes this again as soon as it has a status
    _scale(cluster, stored, current, sets)
    current = cluster.store.get(*_key(current)) or current
    wait = 0.0
    if pods.fails(stored.body["spec"]["template"]):
        wait = cluster.delays.left(stored.uid, stored.metadata["generation"], now, cluster.settings.settling)
    status = _status(cluster, stored, current, expired=wait == 0)
    own_writes.put_status(cluster, stored, status, MANAGER, {REVISION: current.metadata["annotations"][REVISION]})
    return wait or None


def _key(stored: Stored) -> tuple[tuple[str, str], tuple[str, str]]:
    return stored.collection, stored.key


def _sets(cluster: Cluster, stored: Stored) -> list[Stored]:
    return [each for each in cluster.dependants.of(cluster.store, stored.uid) if each.collection == REPLICA_SETS]


def _current(cluster: Cluster, stored: Stored, sets: list[Stored]) -> Stored | None:
    """The ReplicaSet of the present template; None where it was missing, and is made."""
    template = stored.body["spec"]["template"]
    digest = pods.template_hash(template)
    name = f"{stored.key[1]}-{digest}"
    found = next((each for each in sets if each.key[1] == name), None)
    if found is not None:
        return found
    revision = 1 + max((int(each.metadata["annotations"].get(REVISION, 0)) for each in sets), default=0)
    own_writes.derive(cluster, REPLICA_SETS, _set(stored, template, name, digest, revision), MANAGER)
    return None


def _set(stored: Stored, template: Json, name: str, digest: str, revision: int) -> Json:
    labels = {**(template.get("metadata") or {}).get("labels", {}), HASH: digest}
    selector = stored.body["spec"]["selector"]
    spec = {
        "replicas": stored.body["spec"]["replicas"],
        "selector": {**selector, "matchLabels": {**selector.get("matchLabels", {}), HASH: digest}},
        "template": {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}},
    }
    metadata = {
        "name": name,
        "namespace": stored.key[0],
        "labels": labels,
        "annotations": {REVISION: str(revision)},
        "ownerReferences": [own_writes.owner_reference(stored)],
    }
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec}


def _scale(cluster: Cluster, stored: Stored, current: Stored, sets: list[Stored]) -> None:
    """Give the present ReplicaSet all replicas, take them from the others once it is ready, drop the oldest ones."""
    wanted = stored.body["spec"]["replicas"]
    _set_replicas(cluster, current, wanted)
    if current.body["status"].get("readyReplicas", 0) < wanted:
        return
    others = sorted((each for each in sets if each.key != current.key), key=_revision)
    for each in others:
        _set_replicas(cluster, each, 0)
    for each in others[: max(0, len(others) - stored.body["spec"]["revisionHistoryLimit"])]:
        deletion.mark(cluster, each, {})


def _revision(replica_set: Stored) -> int:
    return int(replica_set.metadata["annotations"].get(REVISION, 0))


def _set_replicas(cluster: Cluster, replica_set: Stored, replicas: int) -> None:
    if replica_set.body["spec"]["replicas"] == replicas:
        return
    generation = replica_set.metadata["generation"] + 1
    body = {**replica_set.body, "spec": {**replica_set.body["spec"], "replicas": replicas}}
    body["metadata"] = {**replica_set.metadata, "generation": generation}
    own_writes.put(cluster, replica_set, body, MANAGER)


def _status(cluster: Cluster, stored: Stored, current: Stored, *, expired: bool) -> Json:
    """The status of a Deployment whose rollout stands as its present ReplicaSet does."""
    wanted, counts = stored.body["spec"]["replicas"], current.body["status"]
    ready = counts.get("readyReplicas", 0)
    status: Json = {"observedGeneration": stored.metadata["generation"]}
    numbers = {
        "replicas": counts.get("replicas", 0),
        "updatedReplicas": counts.get("replicas", 0),
        "readyReplicas": ready,
    }
    numbers |= {"availableReplicas": ready, "unavailableReplicas": max(0, wanted - ready)}
    status |= {name: number for name, number in numbers.items() if number} | {"terminatingReplicas": 0}
    complete = ready >= wanted and counts.get("replicas", 0) == wanted
    failed = not complete and expired and pods.fails(stored.body["spec"]["template"])
    held = stored.body.get("status", {}).get("conditions", [])
    conditions = [_available(complete), _progressing(current.key[1], complete=complete, failed=failed)]
    return {**status, "conditions": own_writes.conditions(held, conditions, cluster.now(), updated=True)}


def _available(complete: bool) -> Json:
    if complete:
        reason, message = "MinimumReplicasAvailable", "Deployment has minimum availability."
    else:
        reason, message = "MinimumReplicasUnavailable", "Deployment does not have minimum availability."
    return {"type": "Available", "status": "True" if complete else "False", "reason": reason, "message": message}


def _progressing(name: str, *, complete: bool, failed: bool) -> Json:
    if failed:
        message = f'ReplicaSet "{name}" has timed out progressing.'
        return {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": message}
    if complete:
        message = f'ReplicaSet "{name}" has successfully progressed.'
        return {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "message": message}
    message = f'ReplicaSet "{name}" is progressing.'
    return {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "message": message}


def look_at_set(cluster: Cluster, stored: Stored, _: float) -> float | None:
    """Bring one ReplicaSet's pods and status a step further."""
    if stored.doomed:
        return None
    spec = stored.body["spec"]
    names = [f"{stored.key[1]}-{suffix}" for suffix in pods.suffixes(stored.uid, spec["replicas"])]
    held = pods.ensure(cluster, stored, spec["template"], names, {})
    ready = sum(map(pods.is_ready, held))
    status: Json = {"replicas": len(held), "observedGeneration": stored.metadata["generation"]}
    status["terminatingReplicas"] = 0
    if held:
        status["fullyLabeledReplicas"] = len(held)
    if ready:
        status |= {"readyReplicas": ready, "availableReplicas": ready}
    own_writes.put_status(cluster, stored, status, MANAGER)
    return None

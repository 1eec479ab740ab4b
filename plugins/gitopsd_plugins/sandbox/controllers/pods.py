"""Pods: made and removed for the workloads that own them, and brought to the state that their image tells.

A pod runs and is ready after the settling delay. An image whose name or tag contains `fail` or `broken` never does: its
pod waits in ImagePullBackOff, a Job's pod fails. Pods of Jobs succeed. No container exists anywhere.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.controllers import own_writes
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.storage.store import Stored, encode
from gitopsd_plugins.sandbox.verbs import deletion

COLLECTION = ("", "pods")
BROKEN = ("fail", "broken")
FAIL = "sandbox.gitopsd.io/fail"
"""An annotation of pods (and pod templates), claims and Services that are never to be ready; its value says why."""
NODE = "sandbox"
MOST = 1000
"""Pods of one workload that are made, whatever number it states: content may come from anywhere, and each takes memory."""


def is_broken(image: str) -> bool:
    """Whether containers of this image are to fail."""
    return any(word in image for word in BROKEN)


def told_to_fail(body: Json) -> str:
    """Why an object is to fail, as its annotation says; '' where it is not."""
    annotations = (body.get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(FAIL, ""))


def fails(template: Json) -> bool:
    """Whether pods of this template are to fail."""
    spec = template.get("spec") or {}
    return bool(told_to_fail(template)) or any(
        is_broken(each.get("image", "")) for each in (*spec.get("initContainers", ()), *spec.get("containers", ()))
    )


def template_hash(template: Json) -> str:
    """A short name for the content of a template."""
    return hashlib.sha256(encode(template)).hexdigest()[:10]


def places(count: int) -> range:
    """The numbers of the pods that a workload of `count` gets."""
    return range(min(count, MOST))


def suffixes(uid: str, count: int) -> list[str]:
    """What tells the pods of a workload of `count` from one another: the same each time, those of fewer pods among those of more."""
    found: dict[str, None] = {}
    tries = itertools.count()
    while len(found) < len(places(count)):
        found[template_hash({"uid": uid, "index": next(tries)})[:5]] = None
    return [*found]


def owned(cluster: Cluster, owner: Stored) -> list[Stored]:
    """The pods that a workload controls and that are not being deleted, by name."""
    found = [
        each
        for each in cluster.dependants.of(cluster.store, owner.uid)
        if each.collection == COLLECTION and not each.doomed
    ]
    return sorted(found, key=lambda each: each.key)


def ensure(cluster: Cluster, owner: Stored, template: Json, names: Iterable[str], labels: Json) -> list[Stored]:
    """Make the owner's pods be those of `names`, each of this template; gives them."""
    wanted, there = dict.fromkeys(names), owned(cluster, owner)
    if not wanted and not there:
        return []
    revision = template_hash(template)
    for pod in there:
        current = pod.metadata.get("annotations", {}).get("sandbox.gitopsd.io/template") == revision
        if pod.key[1] in wanted and current:
            del wanted[pod.key[1]]
        else:
            deletion.mark(cluster, pod, {})
    for name in wanted:
        own_writes.create(cluster, COLLECTION, _pod(owner, template, name, labels, revision), own_writes.MANAGER)
    return owned(cluster, owner)


def _pod(owner: Stored, template: Json, name: str, labels: Json, revision: str) -> Json:
    given = template.get("metadata") or {}
    metadata: Json = {
        "name": name,
        "namespace": owner.key[0],
        "labels": {**given.get("labels", {}), **labels},
        "annotations": {**given.get("annotations", {}), "sandbox.gitopsd.io/template": revision},
        "ownerReferences": [own_writes.owner_reference(owner)],
    }
    spec = {**template["spec"], "nodeName": NODE}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def look(cluster: Cluster, stored: Stored, now: float) -> float | None:
    """Bring one pod to the state that its image tells."""
    if stored.doomed or stored.body["status"].get("conditions"):
        return None
    wait = cluster.delays.left(stored.uid, "started", now, cluster.settings.settling)
    if wait > 0:
        return wait
    own_writes.put_status(cluster, stored, _status(cluster, stored), "kubelet")
    return None


def _status(cluster: Cluster, pod: Stored) -> Json:
    owners = pod.metadata.get("ownerReferences", ())
    finishes = any(each.get("kind") == "Job" for each in owners)
    broken, why = fails(pod.body), told_to_fail(pod.body)
    containers = [_container(each, cluster.now(), why, finishes=finishes) for each in pod.body["spec"]["containers"]]
    phase = ("Failed" if finishes else "Pending") if broken else ("Succeeded" if finishes else "Running")
    ready = phase == "Running"
    wanted = [
        {"type": "Initialized", "status": "True"},
        {"type": "Ready", "status": "True" if ready else "False", **_why(ready, phase)},
        {"type": "ContainersReady", "status": "True" if ready else "False", **_why(ready, phase)},
        {"type": "PodScheduled", "status": "True"},
    ]
    times = {"startTime": cluster.now(), "podIP": "10.244.0.1", "hostIP": "192.0.2.1"}
    conditions = own_writes.conditions([], wanted, cluster.now())
    return {**pod.body["status"], **times, "phase": phase, "conditions": conditions, "containerStatuses": containers}


def _why(ready: bool, phase: str) -> Json:
    if ready:
        return {}
    return {"reason": "PodCompleted" if phase == "Succeeded" else "ContainersNotReady"}


def _container(container: Json, now: str, why: str, *, finishes: bool) -> Json:
    image = container["image"]
    broken = is_broken(image) or bool(why)
    state: Json
    if finishes:
        code, reason = (1, "Error") if broken else (0, "Completed")
        state = {"terminated": {"exitCode": code, "reason": reason, "startedAt": now, "finishedAt": now}}
        if why:
            state["terminated"]["message"] = why
    elif why:
        state = {"waiting": {"reason": "CrashLoopBackOff", "message": why}}
    elif broken:
        state = {"waiting": {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}"'}}
    else:
        state = {"running": {"startedAt": now}}
    ready = "running" in state
    return {
        "name": container["name"],
        "image": image,
        "imageID": "",
        "ready": ready,
        "started": ready,
        "restartCount": 0,
        "state": state,
    }


def is_ready(pod: Stored) -> bool:
    """Whether the pod serves."""
    return any(
        each["type"] == "Ready" and each["status"] == "True" for each in pod.body["status"].get("conditions", ())
    )


def phases(pods: Iterable[Stored], phase: str) -> int:
    """How many of the pods are in a phase."""
    return sum(pod.body["status"].get("phase") == phase for pod in pods)

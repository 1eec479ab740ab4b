"""Establishes custom resource definitions after a delay, serves them, and removes their objects with them.

The status is written in the steps in which a real server does it: names first, then established, and only then are the
resources offered, so that an applier that does not wait gets the 404 that it would get elsewhere.
"""

from __future__ import annotations

from gitopsd_plugins.sandbox import crd, deletion
from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.controllers.own_writes import put_status
from gitopsd_plugins.sandbox.schema import Json
from gitopsd_plugins.sandbox.store import Stored

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


def look(cluster: Cluster, stored: Stored, now: float) -> float | None:
    """Bring one definition a step further."""
    if stored.doomed:
        return _clean_up(cluster, stored)
    if crd.is_established(stored.body):
        crd.serve(cluster, stored)
        _follow_names(cluster, stored)
        return None
    wait = cluster.delays.left(stored.uid, "established", now, cluster.settings.settling)
    if wait > 0:
        return wait
    put_status(
        cluster, stored, {**_status(cluster, stored.body), "conditions": _conditions(cluster.now())}, "kube-apiserver"
    )
    return None


def _conditions(now: str) -> list[Json]:
    accepted = {"type": "NamesAccepted", "reason": "NoConflicts", "message": "no conflicts found"}
    established = {
        "type": "Established",
        "reason": "InitialNamesAccepted",
        "message": "the initial names have been accepted",
    }
    return [{**each, "status": "True", "lastTransitionTime": now} for each in (accepted, established)]


def _status(cluster: Cluster, body: Json) -> Json:
    spec = body["spec"]
    names = {"singular": spec["names"]["kind"].lower(), "listKind": f"{spec['names']['kind']}List", **spec["names"]}
    stored_in = [each["name"] for each in spec["versions"] if each.get("storage")]
    return {"acceptedNames": names, "storedVersions": stored_in}


def _follow_names(cluster: Cluster, stored: Stored) -> None:
    """Keep `storedVersions` a record of every version that objects were ever kept in."""
    held = stored.body["status"]
    current = [each["name"] for each in stored.body["spec"]["versions"] if each.get("storage")]
    versions = [
        *held.get("storedVersions", ()),
        *(each for each in current if each not in held.get("storedVersions", ())),
    ]
    if versions != held.get("storedVersions"):
        put_status(cluster, stored, {**held, "storedVersions": versions}, "kube-apiserver")


def _clean_up(cluster: Cluster, stored: Stored) -> float | None:
    """Delete the objects, then let the definition go."""
    spec = stored.body["spec"]
    collection = (spec["group"], spec["names"]["plural"])
    for each in list(cluster.store.all(collection)):
        deletion.mark(cluster, each, {})
    if cluster.store.objects.get(collection):
        return None
    cluster.resources.remove(*collection)
    cluster.watchers.end_all(collection)
    cluster.store.objects.pop(collection, None)
    left = [name for name in stored.metadata.get("finalizers", ()) if name != CLEANUP]
    deletion.set_finalizers(cluster, stored, left)
    return None

"""Establishes custom resource definitions after a delay, serves them, and removes their objects with them.

The status is written in the steps in which a real server does it: names first, then established, and only then are the
resources offered, so that an applier that does not wait gets the 404 that it would get elsewhere.
"""

from __future__ import annotations

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.controllers import own_writes
from gitopsd_plugins.sandbox.controllers.own_writes import put_status
from gitopsd_plugins.sandbox.definitions import crd
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.storage.store import Stored
from gitopsd_plugins.sandbox.verbs import deletion


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
    taken = _taken(cluster, stored)
    status = {**_status(stored.body, taken), "conditions": _conditions(stored.body, taken, cluster.now())}
    put_status(cluster, stored, status, "kube-apiserver")
    return AGAIN if taken else None


AGAIN = 1.0
"""Seconds until a definition whose names another one has is looked at again."""
NAMES = {"plural": "Plural", "singular": "Singular", "kind": "Kind", "listKind": "ListKind"}


def _taken(cluster: Cluster, stored: Stored) -> Json:
    """The names of a definition that another one of its group has already, by what they are."""
    wanted, used = stored.body["spec"]["names"], set()
    for each in cluster.store.all(crd.COLLECTION):
        if each is not stored and each.body["spec"]["group"] == stored.body["spec"]["group"]:
            accepted = (each.body.get("status") or {}).get("acceptedNames") or {}
            used |= {(name, accepted.get(name)) for name in NAMES}
    return {name: wanted[name] for name in NAMES if wanted.get(name) and (name, wanted[name]) in used}


def _conditions(body: Json, taken: Json, now: str) -> list[Json]:
    accepted, established = {"type": "NamesAccepted"}, {"type": "Established"}
    if taken:
        last = list(taken)[-1]
        accepted |= {"reason": f"{NAMES[last]}Conflict", "message": f'"{taken[last]}" is already in use'}
        established |= {"reason": "NotAccepted", "message": "not all names are accepted"}
    else:
        accepted |= {"reason": "NoConflicts", "message": "no conflicts found"}
        established |= {"reason": "InitialNamesAccepted", "message": "the initial names have been accepted"}
    value = "False" if taken else "True"
    wanted = [{**each, "status": value} for each in (accepted, established)]
    return own_writes.conditions((body.get("status") or {}).get("conditions") or [], wanted, now)


def _status(body: Json, taken: Json) -> Json:
    spec = body["spec"]
    names = {"singular": spec["names"]["kind"].lower(), "listKind": f"{spec['names']['kind']}List", **spec["names"]}
    accepted = {"plural": "", "kind": "", **{name: value for name, value in names.items() if name not in taken}}
    stored_in = [each["name"] for each in spec["versions"] if each.get("storage")]
    return {"acceptedNames": accepted, "storedVersions": stored_in}


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
    left = [name for name in stored.metadata.get("finalizers", ()) if name != deletion.CLEANUP]
    deletion.set_finalizers(cluster, stored, left)
    return None

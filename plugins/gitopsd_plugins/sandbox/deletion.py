"""Deleting objects: preconditions, finalizers, propagation; what depends on them goes later (`controllers/garbage.py`).

An object with finalizers is only marked; it vanishes with the last finalizer. It knows no HTTP.
"""

from __future__ import annotations

from gitopsd_plugins.sandbox import status
from gitopsd_plugins.sandbox.call import Call, options
from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.schema import Json
from gitopsd_plugins.sandbox.store import Stored, encode

PROTECTED = ("default", "kube-system", "kube-public")
"""Namespaces that cannot be deleted."""
POLICIES = ("Foreground", "Background", "Orphan")
PROPAGATION = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}


def delete(cluster: Cluster, call: Call, stored: Stored) -> Stored | Json:
    """Delete one object: the Status of a completed deletion, or the object that waits. Raises `Refused`."""
    asked = options(call)
    check(call, stored, asked)
    if call.dry_run or is_dry(asked):
        finalizers = _holding(stored, asked)
        return _success(call, stored) if finalizers is None else _doomed(cluster, stored, finalizers)
    marked = mark(cluster, stored, asked)
    return _success(call, stored) if marked is None else marked


def is_dry(asked: Json) -> bool:
    """Whether DeleteOptions ask for a dry run."""
    return "All" in (asked.get("dryRun") or ())


def check(call: Call, stored: Stored, asked: Json) -> None:
    """Refuse what may not be deleted, or not in this state."""
    resource, name = call.resource, stored.key[1]
    if resource.key == ("", "namespaces") and name in PROTECTED:
        raise status.forbidden("", "namespaces", name, "this namespace may not be deleted")
    policy = asked.get("propagationPolicy")
    if policy is not None and policy not in POLICIES:
        supported = '"Foreground", "Background", "Orphan", "nil"'
        message = f"Unsupported value: {encode(policy).decode()}: supported values: {supported}"
        cause = status.Cause("propagationPolicy", "FieldValueNotSupported", message)
        raise status.invalid("meta.k8s.io", "DeleteOptions", "", [cause])
    wanted = asked.get("preconditions") or {}
    if wanted.get("uid") not in (None, stored.uid):
        why = f"the UID in the precondition ({wanted['uid']}) does not match the UID in record ({stored.uid}). The object might have been deleted and then recreated"
        raise status.conflict(resource.group, resource.kind, name, why)
    if wanted.get("resourceVersion") not in (None, str(stored.version)):
        why = f"the ResourceVersion in the precondition ({wanted['resourceVersion']}) does not match the ResourceVersion in record ({stored.version}). The object might have been modified"
        raise status.conflict(resource.group, resource.kind, name, why)


def mark(cluster: Cluster, stored: Stored, asked: Json) -> Stored | None:
    """Remove the object, or mark it as being deleted where finalizers hold it; None when it is gone."""
    if stored.doomed:
        return stored
    finalizers = _holding(stored, asked)
    if finalizers is None:
        cluster.store.remove(stored)
        return None
    return cluster.store.put(stored.collection, stored.key, _doomed(cluster, stored, finalizers))


def _holding(stored: Stored, asked: Json) -> list[str] | None:
    """The finalizers that hold the object once it is being deleted; None when nothing does."""
    finalizers = list(stored.metadata.get("finalizers") or ())
    wanted = PROPAGATION.get(asked.get("propagationPolicy", ""))
    if wanted and wanted not in finalizers:
        finalizers.append(wanted)
    if stored.collection == ("apiextensions.k8s.io", "customresourcedefinitions"):
        finalizers.append("customresourcecleanup.apiextensions.k8s.io")
    return finalizers if finalizers or stored.collection == ("", "namespaces") else None


def _doomed(cluster: Cluster, stored: Stored, finalizers: list[str]) -> Json:
    metadata = {**stored.metadata, "deletionTimestamp": cluster.now()}
    if finalizers:
        metadata["finalizers"] = finalizers
    body = {**stored.body, "metadata": metadata}
    if stored.collection == ("", "namespaces"):
        return {**body, "status": {**body.get("status", {}), "phase": "Terminating"}}
    metadata["deletionGracePeriodSeconds"] = 0
    if "generation" in metadata:
        metadata["generation"] += 1
    return body


def finish_if_free(cluster: Cluster, stored: Stored) -> Stored:
    """Remove an object that is being deleted and that nothing holds any more; gives its last state."""
    if not stored.doomed or stored.metadata.get("finalizers"):
        return stored
    if stored.collection == ("", "namespaces") and stored.body.get("spec", {}).get("finalizers"):
        return stored
    return cluster.store.remove(stored)


def set_finalizers(cluster: Cluster, stored: Stored, finalizers: list[str]) -> Stored:
    """Store an object that is being deleted with these finalizers left; it vanishes with the last."""
    metadata = {name: value for name, value in stored.metadata.items() if name != "finalizers"}
    if finalizers:
        metadata["finalizers"] = finalizers
    return finish_if_free(
        cluster, cluster.store.put(stored.collection, stored.key, {**stored.body, "metadata": metadata})
    )


def _success(call: Call, stored: Stored) -> Json:
    return status.success(stored.key[1], call.resource.group, call.resource.plural, stored.uid)

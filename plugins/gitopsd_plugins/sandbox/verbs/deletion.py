"""Deleting objects: preconditions, finalizers, propagation; what depends on them goes later (`controllers/garbage.py`).

An object with finalizers is only marked; it vanishes with the last finalizer. It knows no HTTP.
"""

from __future__ import annotations

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.defaulting import conversion
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import delete_options, status
from gitopsd_plugins.sandbox.requests.call import Call
from gitopsd_plugins.sandbox.storage import strategies
from gitopsd_plugins.sandbox.storage.store import Stored

PROTECTED = ("default", "kube-system", "kube-public")
"""Namespaces that cannot be deleted."""
PROPAGATION = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}
"""The finalizers that carry out a policy."""
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
JOBS_LEAVE_PODS = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
    "propagationPolicy=Orphan to suppress this warning"
)


def delete(cluster: Cluster, call: Call, stored: Stored, asked: Json) -> Stored | Json:
    """Delete one object: what a completed deletion answers with, or the object that waits. Raises `Refused`."""
    check(call, stored, asked)
    if delete_options.is_dry(asked):
        finalizers = _holding(stored, asked)
        return _gone(call, stored) if finalizers is None else _doomed(cluster, stored, finalizers)
    marked = mark(cluster, stored, asked)
    return marked if cluster.store.get(stored.collection, stored.key) is marked else _gone(call, marked)


def warn(call: Call, asked: Json) -> None:
    """Warn where a deletion without a policy does something else than people expect."""
    if call.resource.key == ("batch", "jobs") and not {"propagationPolicy", "orphanDependents"} & set(asked):
        call.warnings.append(JOBS_LEAVE_PODS)


def check(call: Call, stored: Stored, asked: Json) -> None:
    """Refuse what may not be deleted, or not in this state."""
    resource, name = call.resource, stored.key[1]
    if resource.key == ("", "namespaces") and name in PROTECTED:
        raise status.forbidden("", "namespaces", name, "this namespace may not be deleted")
    wanted = asked.get("preconditions") or {}
    if wanted.get("uid") not in (None, stored.uid):
        why = f"the UID in the precondition ({wanted['uid']}) does not match the UID in record ({stored.uid}). The object might have been deleted and then recreated"
        raise status.conflict(resource.group, resource.kind, name, why)
    if wanted.get("resourceVersion") not in (None, str(stored.version)):
        why = f"the ResourceVersion in the precondition ({wanted['resourceVersion']}) does not match the ResourceVersion in record ({stored.version}). The object might have been modified"
        raise status.conflict(resource.group, resource.kind, name, why)


def mark(cluster: Cluster, stored: Stored, asked: Json) -> Stored:
    """Remove the object, or mark it as being deleted where finalizers hold it; gives its last state."""
    finalizers = _holding(stored, asked)
    if finalizers is None:
        return cluster.store.remove(stored)
    if stored.doomed and finalizers == list(stored.metadata.get("finalizers") or ()):
        return stored
    return cluster.store.put(stored.collection, stored.key, _doomed(cluster, stored, finalizers))


def _holding(stored: Stored, asked: Json) -> list[str] | None:
    """The finalizers that hold the object once it is being deleted; None when nothing does."""
    finalizers = _with_policy(stored, asked)
    if stored.collection == ("apiextensions.k8s.io", "customresourcedefinitions") and CLEANUP not in finalizers:
        finalizers.append(CLEANUP)
    return finalizers if finalizers or stored.collection == ("", "namespaces") else None


def _with_policy(stored: Stored, asked: Json) -> list[str]:
    """The finalizers with the one that carries out the policy of the deletion; asked for, kept from before, or the kind's."""
    held = list(stored.metadata.get("finalizers") or ())
    if stored.collection in strategies.NOT_COLLECTED:
        return [name for name in held if name not in PROPAGATION.values()]
    policy = asked.get("propagationPolicy") or ""
    if asked.get("orphanDependents") is not None:
        policy = "Orphan" if asked["orphanDependents"] else "Background"
    kept = next((name for name in held if name in PROPAGATION.values()), "")
    default = PROPAGATION["Orphan"] if stored.collection in strategies.ORPHANS_LEFT else ""
    wanted = PROPAGATION.get(policy, "") if policy else kept or default
    if wanted == kept:
        return held
    return [*(name for name in held if name not in PROPAGATION.values()), *([wanted] if wanted else [])]


def _doomed(cluster: Cluster, stored: Stored, finalizers: list[str]) -> Json:
    metadata = {"deletionTimestamp": cluster.now(), **stored.metadata}
    if finalizers:
        metadata["finalizers"] = finalizers
    if stored.doomed:
        return {**stored.body, "metadata": metadata}
    body = {**stored.body, "metadata": metadata}
    if stored.collection == ("", "namespaces"):
        return {**body, "status": {**body.get("status", {}), "phase": "Terminating"}}
    metadata["deletionGracePeriodSeconds"] = 0
    if "generation" in metadata:
        metadata["generation"] += 1
    return body


def is_free(stored: Stored, body: Json) -> bool:
    """Whether an object that is being deleted is held by nothing any more, once it is as `body` has it."""
    if not stored.doomed or body["metadata"].get("finalizers"):
        return False
    return stored.collection != ("", "namespaces") or not body.get("spec", {}).get("finalizers")


def finish_if_free(cluster: Cluster, stored: Stored) -> Stored:
    """Remove an object that is being deleted and that nothing holds any more; gives its last state."""
    return cluster.store.remove(stored) if is_free(stored, stored.body) else stored


def set_finalizers(cluster: Cluster, stored: Stored, finalizers: list[str]) -> Stored:
    """Store an object that is being deleted with these finalizers left; it vanishes with the last."""
    metadata = {name: value for name, value in stored.metadata.items() if name != "finalizers"}
    if finalizers:
        metadata["finalizers"] = finalizers
    return finish_if_free(
        cluster, cluster.store.put(stored.collection, stored.key, {**stored.body, "metadata": metadata})
    )


def _gone(call: Call, stored: Stored) -> Json:
    if call.resource.key in strategies.SHOWN_WHEN_DELETED:
        return conversion.converted(stored.body, call.resource)
    return status.success(stored.key[1], call.resource.group, call.resource.plural, stored.uid)

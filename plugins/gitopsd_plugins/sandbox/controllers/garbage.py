"""Garbage collection: dependants go after their owner, before it (Foreground), or are set free (Orphan)."""

from __future__ import annotations

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.storage.dependants import owners_of
from gitopsd_plugins.sandbox.storage.store import Stored
from gitopsd_plugins.sandbox.verbs import deletion

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"


def look(cluster: Cluster, stored: Stored, _: float) -> float | None:
    """Carry out the deletion policy of one object, and remove it when all its owners are gone."""
    finalizers = list(stored.metadata.get("finalizers") or ())
    if stored.doomed and ORPHAN in finalizers:
        _release(cluster, stored)
        deletion.set_finalizers(cluster, stored, [name for name in finalizers if name != ORPHAN])
    elif stored.doomed and FOREGROUND in finalizers:
        _foreground(cluster, stored, finalizers)
    elif stored.metadata.get("ownerReferences") and not stored.doomed:
        _collect(cluster, stored)
    return None


def _release(cluster: Cluster, owner: Stored) -> None:
    """Take the owner out of its dependants' references."""
    for each in cluster.dependants.of(cluster.store, owner.uid):
        left = [reference for reference in each.metadata["ownerReferences"] if reference.get("uid") != owner.uid]
        metadata: Json = {name: value for name, value in each.metadata.items() if name != "ownerReferences"}
        if left:
            metadata["ownerReferences"] = left
        cluster.store.put(each.collection, each.key, {**each.body, "metadata": metadata})


def _foreground(cluster: Cluster, owner: Stored, finalizers: list[str]) -> None:
    """Delete the dependants; the owner goes when none is left that blocks it."""
    for each in cluster.dependants.of(cluster.store, owner.uid):
        deletion.mark(cluster, each, {"propagationPolicy": "Foreground"} if _has_dependants(cluster, each) else {})
    if not any(_blocks(each, owner.uid) for each in cluster.dependants.of(cluster.store, owner.uid)):
        deletion.set_finalizers(cluster, owner, [name for name in finalizers if name != FOREGROUND])


def _has_dependants(cluster: Cluster, stored: Stored) -> bool:
    return bool(cluster.dependants.of(cluster.store, stored.uid))


def _blocks(stored: Stored, uid: str) -> bool:
    return any(each.get("uid") == uid and each.get("blockOwnerDeletion") for each in stored.metadata["ownerReferences"])


def _collect(cluster: Cluster, stored: Stored) -> None:
    """Delete an object none of whose owners exists."""
    if not any(uid in cluster.store.by_uid for uid in owners_of(stored)):
        deletion.mark(cluster, stored, {})


def after_removal(cluster: Cluster, last: Stored) -> list[Stored]:
    """What must be looked at once an object is gone: its dependants, and the owners that wait for it."""
    owners = [cluster.store.by_uid[uid] for uid in owners_of(last) if uid in cluster.store.by_uid]
    return [*cluster.dependants.of(cluster.store, last.uid), *owners]

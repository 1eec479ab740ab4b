"""Which controllers look at which objects, and which other objects a change makes worth a look."""

from __future__ import annotations

from collections.abc import Callable

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.controllers import (
    definitions,
    deployments,
    garbage,
    namespaces,
    pods,
    storage_and_services,
    workloads,
)
from gitopsd_plugins.sandbox.definitions import crd
from gitopsd_plugins.sandbox.storage.dependants import owners_of
from gitopsd_plugins.sandbox.storage.store import CollectionKey, Stored

Controller = Callable[[Cluster, Stored, float], float | None]
"""Looks at an object at a time of the event loop; gives seconds until it wants to look again, None for never."""

_OF: dict[CollectionKey, tuple[Controller, ...]] = {
    crd.COLLECTION: (definitions.look,),
    ("", "namespaces"): (namespaces.look,),
    pods.COLLECTION: (pods.look,),
    ("", "persistentvolumeclaims"): (storage_and_services.claim,),
    ("", "persistentvolumes"): (storage_and_services.volume,),
    ("", "services"): (storage_and_services.service,),
    ("apps", "daemonsets"): (workloads.daemon_set,),
    ("apps", "deployments"): (deployments.look,),
    ("apps", "replicasets"): (deployments.look_at_set,),
    ("apps", "statefulsets"): (workloads.stateful_set,),
    ("batch", "jobs"): (workloads.job,),
    ("policy", "poddisruptionbudgets"): (storage_and_services.disruption_budget,),
}

AT_ONCE: frozenset[CollectionKey] = frozenset(
    {("apps", "daemonsets"), ("apps", "deployments"), ("apps", "replicasets"), ("apps", "statefulsets")}
)
"""Their controllers go as far as they can in one look, so that the status which they write is no reason for another."""


def of(stored: Stored) -> tuple[Controller, ...]:
    """The controllers of an object, in order."""
    own = _OF.get(stored.collection, ())
    metadata = stored.metadata
    return (*own, garbage.look) if "ownerReferences" in metadata or "finalizers" in metadata else own


def after_change(cluster: Cluster, stored: Stored) -> list[Stored]:
    """The owners, whose status follows this object."""
    return [cluster.store.by_uid[uid] for uid in owners_of(stored) if uid in cluster.store.by_uid]


def after_removal(cluster: Cluster, last: Stored) -> list[Stored]:
    """What must be looked at once an object is gone."""
    cluster.delays.forget(last.uid)
    found = garbage.after_removal(cluster, last)
    if last.key[0]:
        namespace = cluster.store.get(("", "namespaces"), ("", last.key[0]))
        found.extend([namespace] if namespace is not None else [])
    else:
        definition = cluster.store.get(crd.COLLECTION, ("", f"{last.collection[1]}.{last.collection[0]}"))
        found.extend([definition] if definition is not None else [])
    return found

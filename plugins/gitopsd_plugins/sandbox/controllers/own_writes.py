"""Writes of the cluster's own controllers: a status, labels or annotations, with the owner that a real controller leaves.

It goes past HTTP and past the rules for clients, but not past ownership: drift detection looks at owners. A write that
changes nothing leaves the object as it is.
"""

from __future__ import annotations

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.defaulting import filling, prepare
from gitopsd_plugins.sandbox.facts import names
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.merging import apply, owners
from gitopsd_plugins.sandbox.merging.apply import Write
from gitopsd_plugins.sandbox.requests.call import Call, Target
from gitopsd_plugins.sandbox.requests.status import Refused
from gitopsd_plugins.sandbox.requests.user import MASTERS, User
from gitopsd_plugins.sandbox.storage.store import CollectionKey, Stored
from gitopsd_plugins.sandbox.verbs import creation

CONTROLLER = User(name="system:kube-controller-manager", groups=(MASTERS, "system:authenticated"))
MANAGER = "kube-controller-manager"


def put_status(cluster: Cluster, stored: Stored, status: Json, manager: str, annotations: Json | None = None) -> Stored:
    """Store an object with this status, owned by `manager`."""
    body = {**stored.body, "status": status}
    if annotations:
        body["metadata"] = {**stored.metadata, "annotations": {**stored.metadata.get("annotations", {}), **annotations}}
    if body == stored.body:
        return stored
    return put(cluster, stored, body, manager, subresource="status")


def put(cluster: Cluster, stored: Stored, body: Json, manager: str, *, subresource: str = "") -> Stored:
    """Store a changed object, its changes owned by `manager`."""
    resource = cluster.resources.any_version(*stored.collection)
    held = owners.read(stored.metadata.get("managedFields"))
    if resource is not None:
        version = stored.body["apiVersion"]
        write = Write(manager=manager, version=version, subresource=subresource, time=cluster.now())
        held = apply.update(stored.body, held, body, resource.schema, write)
    metadata = {**body["metadata"], "managedFields": owners.written(held)}
    return cluster.store.put(stored.collection, stored.key, {**body, "metadata": metadata})


def create(cluster: Cluster, collection: CollectionKey, body: Json, manager: str) -> Stored | None:
    """Create an object as a controller would; None where it is refused (it exists, its namespace goes away)."""
    resource = cluster.resources.any_version(*collection)
    if resource is None:
        return None
    namespace = body["metadata"].get("namespace", "")
    target = Target(resource=resource, namespace=namespace)
    call = Call(verb="create", target=target, user=CONTROLLER, agent=manager)
    try:  # what a controller makes is made of stored objects: there is nothing to decode
        written = creation.store(cluster, call, creation.named(call, body), None)
    except Refused:
        return None
    return written if isinstance(written, Stored) else None


def derive(cluster: Cluster, collection: CollectionKey, body: Json, manager: str) -> Stored | None:
    """As `create`, for an object all of whose content is that of a stored one: it has its defaults, and only its name may be wrong."""
    resource = cluster.resources.any_version(*collection)
    namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
    if resource is None or names.object_name(name, resource.plural):
        return None
    call = Call(verb="create", target=Target(resource=resource, namespace=namespace), user=CONTROLLER, agent=manager)
    try:
        creation.check_namespace(cluster, call, name)
    except Refused:
        return None
    if cluster.store.get(collection, (namespace, name)) is not None:
        return None
    body = prepare.created(resource, body, cluster.now())
    skeleton = filling.skeleton(resource.schema)
    held = apply.update(skeleton, (), body, resource.schema, creation.write_of(cluster, call))
    return cluster.store.put(collection, (namespace, name), creation.with_owners(body, held))


def owner_reference(owner: Stored) -> Json:
    """The reference by which a controller owns what it made."""
    return {
        "apiVersion": owner.body["apiVersion"],
        "kind": owner.body["kind"],
        "name": owner.key[1],
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def conditions(held: list[Json], wanted: list[Json], now: str, *, updated: bool = False) -> list[Json]:
    """`wanted` with the times of those in `held` whose status is the same; `updated` adds lastUpdateTime."""
    before = {each["type"]: each for each in held}
    result = []
    for each in wanted:
        old = before.get(each["type"], {})
        same = old.get("status") == each["status"]
        unchanged = same and old.get("reason") == each.get("reason") and old.get("message") == each.get("message")
        times = {"lastTransitionTime": old["lastTransitionTime"] if same else now}
        if updated:
            times["lastUpdateTime"] = old.get("lastUpdateTime", now) if unchanged else now
        result.append({**each, **times})
    return result

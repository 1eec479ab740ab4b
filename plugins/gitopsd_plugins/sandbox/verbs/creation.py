"""New objects: from a request, or from a manifest that is applied, to a stored object with owners.

In the order in which the API server does it: decode, fill in defaults, work out owners, hand out what the kind gets, check rules,
and store unless it is a dry run. Each function runs without an await, so that reading and writing are one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.defaulting import conversion, defaults, filling, prepare
from gitopsd_plugins.sandbox.definitions import crd_rules
from gitopsd_plugins.sandbox.facts.resources import Resource
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.merging import apply, owners
from gitopsd_plugins.sandbox.merging.apply import Paths, Write
from gitopsd_plugins.sandbox.merging.owners import Owner
from gitopsd_plugins.sandbox.requests import bodies, status
from gitopsd_plugins.sandbox.requests.call import Call, flag
from gitopsd_plugins.sandbox.requests.status import Cause
from gitopsd_plugins.sandbox.rules import object_warnings, validation
from gitopsd_plugins.sandbox.storage import strategies
from gitopsd_plugins.sandbox.storage.store import Stored

Written = Stored | Json
"""What is stored now, or the object that a dry run shows."""

NAME_LIMIT = 63
"""Characters of a generated name."""


def create(cluster: Cluster, call: Call) -> Written:
    """A POST to a collection. Raises `Refused`."""
    body = bodies.read(call, bodies.document(call))
    if body["metadata"].get("resourceVersion"):
        raise status.Refused(500, "", "resourceVersion should not be set on objects to be created")
    return store(cluster, call, named(call, body), None)


def named(call: Call, body: Json) -> Json:
    """The object with its namespace and, where it has only a prefix, a name."""
    metadata = dict(body["metadata"])
    if call.resource.namespaced:
        if metadata.setdefault("namespace", call.target.namespace) != call.target.namespace:
            raise status.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
    else:
        metadata.pop("namespace", None)
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = f"{metadata['generateName'][: NAME_LIMIT - 5]}{uuid4().hex[:5]}"
    return {**body, "metadata": metadata}


def store(cluster: Cluster, call: Call, body: Json, held: Sequence[Owner] | None) -> Written:
    """Store a new object with these owners; None: with the creator as the owner of all of it."""
    resource, namespace = call.resource, call.target.namespace
    name = body["metadata"].get("name", "")
    check_namespace(cluster, call, name)
    is_new = held is not None or cluster.store.get(resource.key, (namespace, name)) is None
    labelled = resource.key == ("batch", "jobs") and "labels" in body["metadata"]
    body = prepare.created(resource, complete(resource, body), cluster.now())
    if held is None:
        held = apply.update(filling.skeleton(resource.schema), (), body, resource.schema, write_of(cluster, call))
    if not call.target.subresource:
        body = prepare.allocated(resource, body, cluster.addresses)
    found = validation.of_new(resource, body) + crd_rules.of(resource, body)
    found += broken_expressions(call, body, None, found)
    if found:
        raise status.invalid(resource.group, resource.kind, name, found)
    call.warnings.extend(object_warnings.of_new(resource.key, body))
    if not is_new:
        there = cluster.store.get(resource.key, (namespace, name))
        raise status.exists(resource.group, resource.plural, name, doomed=there is not None and there.doomed)
    body = conversion.stored(with_owners(body, held), resource)
    if call.dry_run:
        return body
    filled = resource.key in strategies.FILLED_WHEN_READ and not labelled
    return cluster.store.put(resource.key, (namespace, name), body, unsettled=filled)


def broken_expressions(call: Call, body: Json, live: Json | None, found: Sequence[Cause]) -> list[Cause]:
    """What is wrong with a custom resource by its rules in CEL, beyond `found`."""
    if not call.resource.schema.has_expressions:
        return []
    from gitopsd_plugins.sandbox.definitions import crd_expressions

    return crd_expressions.of(call.resource, body, live, call.warnings, found)


def check_namespace(cluster: Cluster, call: Call, name: str) -> None:
    """Refuse to create in a namespace that does not exist or is being deleted."""
    resource, namespace = call.resource, call.target.namespace
    if not resource.namespaced:
        return
    found = cluster.store.get(("", "namespaces"), ("", namespace))
    if found is None:
        raise status.not_found("", "namespaces", namespace)
    if found.doomed:
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        refused = status.forbidden(resource.group, resource.plural, name, why)
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {namespace} is being terminated",
            "field": "metadata.namespace",
        }
        refused.body["details"]["causes"] = [cause]
        raise refused


def complete(resource: Resource, body: Json) -> Json:
    """The object with its defaults."""
    if resource.custom:
        filled: Json = filling.fill(body, resource.schema)
        return filled
    return defaults.complete(body, resource.schema)


def write_of(cluster: Cluster, call: Call) -> Write:
    """Who writes by this request, and how."""
    return Write(
        manager=call.manager,
        version=call.resource.api_version,
        subresource=call.target.subresource,
        force=flag(call.query, "force"),
        time=cluster.now() if call.target.subresource != "scale" else "",
        reset=_reset(call),
    )


def _reset(call: Call) -> Paths:
    """Fields that this endpoint ignores, so that nobody comes to own them by it."""
    if call.target.subresource == "status":
        if call.resource.custom:
            return (("f:spec",), ("f:metadata",))
        kept = call.resource.key in strategies.LABELS_KEPT
        return (("f:spec",), ("f:metadata", "f:labels")) if kept else (("f:spec",),)
    return (("f:status",),) if "status" in call.resource.subresources else ()


def with_owners(body: Json, held: Sequence[Owner]) -> Json:
    """The object with these owners in its managedFields."""
    metadata = {name: value for name, value in body["metadata"].items() if name != "managedFields"}
    if held:
        metadata["managedFields"] = owners.written(held)
    return {**body, "metadata": metadata}


def check_name(call: Call, body: Json) -> None:
    """Refuse an object whose name or namespace is not that of the URL."""
    metadata, target = body["metadata"], call.target
    if not metadata.get("name"):
        why = f"the name of the object ({target.name} based on URL) was undeterminable: name must be provided"
        raise status.bad_request(why)
    if metadata["name"] != target.name:
        raise status.bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({target.name})"
        )
    if target.namespace and metadata.get("namespace", target.namespace) != target.namespace:
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def check_preconditions(call: Call, stored: Stored, metadata: Json) -> None:
    """Refuse a write whose resourceVersion is not the live one."""
    version = metadata.get("resourceVersion")
    if version and version != "0" and version != str(stored.version):
        raise status.conflict(call.resource.group, call.resource.plural, call.target.name)

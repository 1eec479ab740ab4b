"""Create, update, patch and apply: from a request to a stored object, in the order in which the API server does it.

Decode, complete with defaults,
    filling, keep what the server owns, work out owners, check rules, and store unless nothing
changed or it is a dry run. Each function runs without an await, so that reading and writing are one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from gitopsd_plugins.sandbox import apply as server_side
from gitopsd_plugins.sandbox import (
    bodies,
    causes,
    conversion,
    crd_rules,
    defaults,
    deletion,
    filling,
    owned,
    owners,
    patch,
    prepare,
    reads,
    status,
    validation,
)
from gitopsd_plugins.sandbox.apply import Conflicts, Paths, Write
from gitopsd_plugins.sandbox.call import Call
from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.fields import paths
from gitopsd_plugins.sandbox.owners import Owner
from gitopsd_plugins.sandbox.resources import Resource
from gitopsd_plugins.sandbox.schema import Json
from gitopsd_plugins.sandbox.status import Cause
from gitopsd_plugins.sandbox.store import Stored

Written = Stored | Json
"""What is stored now, or the object that a dry run shows."""

NAME_LIMIT = 63
"""Characters of a generated name."""


def create(cluster: Cluster, call: Call) -> Written:
    """A POST to a collection. Raises `Refused`."""
    body = bodies.document(call)
    if body["metadata"].get("resourceVersion"):
        raise status.Refused(500, "", "resourceVersion should not be set on objects to be created")
    body = _named(call, bodies.read(call, body))
    return _create(cluster, call, body, None)


def _named(call: Call, body: Json) -> Json:
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


def _create(cluster: Cluster, call: Call, body: Json, held: Sequence[Owner] | None) -> Written:
    """Store a new object with these owners; None: with the creator as the owner of all of it."""
    resource, namespace = call.resource, call.target.namespace
    name = body["metadata"].get("name", "")
    check_namespace(cluster, call, name)
    is_new = held is not None or cluster.store.get(resource.key, (namespace, name)) is None
    body = prepare.created(resource, complete(resource, body), cluster.now())
    if held is None:
        held = server_side.update(filling.skeleton(resource.schema), (), body, resource.schema, write_of(cluster, call))
    body = prepare.allocated(resource, body, cluster.addresses)
    found = validation.of_new(resource, body) + crd_rules.of(resource, body)
    if found:
        raise status.invalid(resource.group, resource.kind, name, found)
    if not is_new:
        raise status.exists(resource.group, resource.plural, name)
    body = conversion.stored(_with_owners(body, held), resource)
    if call.dry_run:
        return body
    return cluster.store.put(resource.key, (namespace, name), body)


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
        force=call.query.get("force") == "true",
        time=cluster.now() if call.target.subresource != "scale" else "",
        reset=_reset(call),
    )


def _reset(call: Call) -> Paths:
    """Fields that this endpoint ignores, so that nobody comes to own them by it."""
    if call.target.subresource == "status":
        return (("f:spec",), *((("f:metadata",),) if call.resource.custom else (("f:metadata", "f:labels"),)))
    return (("f:status",),) if "status" in call.resource.subresources else ()


def _with_owners(body: Json, held: Sequence[Owner]) -> Json:
    metadata = {name: value for name, value in body["metadata"].items() if name != "managedFields"}
    if held:
        metadata["managedFields"] = owners.written(held)
    return {**body, "metadata": metadata}


def update(cluster: Cluster, call: Call) -> Written:
    """A PUT to an object or its status. Raises `Refused`."""
    body = bodies.document(call)
    check_name(call, body)
    body = bodies.read(call, body)
    stored = reads.found(cluster, call)
    check_uid(call, stored, body["metadata"])
    return replace(cluster, call, stored, body)


def check_name(call: Call, body: Json) -> None:
    """Refuse an object whose name or namespace is not that of the URL."""
    metadata, target = body["metadata"], call.target
    if metadata.get("name") and metadata["name"] != target.name:
        raise status.bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({target.name})"
        )
    if target.namespace and metadata.get("namespace", target.namespace) != target.namespace:
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def replace(cluster: Cluster, call: Call, stored: Stored, body: Json) -> Written:
    """Put a decoded object in place of a stored one, as an update by the request's manager. Raises `Refused`."""
    resource = call.resource
    check_preconditions(call, stored, body["metadata"])
    live = conversion.converted(stored.body, resource)
    held = _stated_owners(live, body)
    new = prepare.changed(resource, live, complete(resource, body), call.target.subresource)
    held = server_side.update(live, held, new, resource.schema, write_of(cluster, call))
    return commit(cluster, call, stored, new, held)


def check_preconditions(call: Call, stored: Stored, metadata: Json) -> None:
    """Refuse a write whose resourceVersion is not the live one."""
    version = metadata.get("resourceVersion")
    if version and version != "0" and version != str(stored.version):
        raise status.conflict(call.resource.group, call.resource.plural, call.target.name)


def check_uid(call: Call, stored: Stored, metadata: Json) -> None:
    """Refuse an update of another object of the same name; a patch that changes the uid is invalid instead."""
    resource, name, uid = call.resource, call.target.name, metadata.get("uid")
    if uid and uid != stored.uid:
        where = "/".join(part for part in ("/registry", resource.plural, call.target.namespace, name) if part)
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {stored.uid}"
        why = f"StorageError: invalid object, Code: 4, Key: {where}, ResourceVersion: 0, AdditionalErrorMsg: {why}"
        raise status.conflict(resource.group, resource.plural, name, why)


def _stated_owners(live: Json, body: Json) -> Sequence[Owner]:
    """The owners before an update: what the client sent, else the live ones. `[{}]` forgets all of them."""
    entries = body["metadata"].get("managedFields")
    current = live["metadata"].get("managedFields")
    if not entries or entries == current:
        return owners.read(current)
    try:
        return owners.checked(entries)
    except (ValueError, AttributeError):
        return owners.read(current)  # as the API server: a broken list is as none


def commit(cluster: Cluster, call: Call, stored: Stored, new: Json, held: Sequence[Owner]) -> Written:
    """Check and store the new state of an object; an object that did not change is left as it is."""
    resource = call.resource
    live = conversion.converted(stored.body, resource)
    found = [*validation.of_change(resource, live, new), *crd_rules.of(resource, new)]
    if found:
        raise status.invalid(resource.group, resource.kind, call.target.name, found)
    if _unchanged(live, new, held):
        return stored
    body = conversion.stored(_with_owners(new, held), resource)
    if call.dry_run:
        return {**body, "metadata": {**body["metadata"], "resourceVersion": str(stored.version)}}
    written = cluster.store.put(resource.key, stored.key, body)
    return deletion.finish_if_free(cluster, written)


_VOLATILE = ("managedFields", "resourceVersion")


def _unchanged(live: Json, new: Json, held: Sequence[Owner]) -> bool:
    """Whether the write says nothing new; times of owners do not count."""
    before, after = live["metadata"], new["metadata"]
    if any(before.get(name) != after.get(name) for name in {*before, *after} if name not in _VOLATILE):
        return False
    if any(live.get(name) != new.get(name) for name in {*live, *new} if name not in ("metadata", "apiVersion")):
        return False
    return owners.same(owners.read(before.get("managedFields")), held)


def change(cluster: Cluster, call: Call) -> Written:
    """A PATCH to an object or its status, whatever its type. Raises `Refused`."""
    if call.is_apply():
        return apply(cluster, call)
    stored = reads.found(cluster, call)
    live = conversion.converted(stored.body, call.resource)
    body = _patched(call, live)
    check_name(call, body)
    if not isinstance(body.get("metadata"), dict):
        raise status.unprocessable()
    if (body.get("apiVersion"), body.get("kind")) != (call.resource.api_version, call.resource.kind):
        raise bodies.refuse_patched(call, f"{bodies.quoted(body)}: unknown conversion")
    body = bodies.read_patched(call, body)
    return replace(cluster, call, stored, body)


def _patched(call: Call, live: Json) -> Json:
    """The live object after the request's patch. Raises `Refused`."""
    document = bodies.patch(call)
    try:
        return patched(call, live, document)
    except patch.Malformed as error:
        raise status.bad_request(f"error decoding patch: {error}") from error
    except patch.Failed as error:
        raise status.unprocessable() from error


def patched(call: Call, live: Json, document: Any) -> Json:
    """An object after a patch of the request's type. Raises `patch.Malformed`, `patch.Failed` and `Refused`."""
    match call.content_type:
        case "application/json-patch+json":
            return patch.json_patch(live, document)
        case "application/merge-patch+json":
            return _object(patch.merge(live, document))
        case "application/strategic-merge-patch+json" if not call.resource.custom:
            return patch.strategic(live, _object(document), call.resource.schema)
    raise status.unsupported_media_type()


def _object(value: Any) -> Json:
    if not isinstance(value, dict):
        raise patch.Malformed("json: cannot unmarshal value into Go value of type map[string]interface {}")
    return value


def apply(cluster: Cluster, call: Call) -> Written:
    """A server-side apply: creates the object where there is none. Raises `Refused`."""
    resource, target = call.resource, call.target
    stated = bodies.stated(call)
    if stated["metadata"].get("managedFields") is not None:
        raise status.bad_request("metadata.managedFields must be nil")
    check_name(call, stated)
    stored = cluster.store.get(resource.key, (target.namespace, target.name))
    if stored is None:
        return _create_applied(cluster, call, stated)
    check_preconditions(call, stored, {"resourceVersion": stated["metadata"].get("resourceVersion")})
    live = conversion.converted(stored.body, resource)
    held = owners.read(live["metadata"].get("managedFields")) or _unmanaged(live, resource)
    write = write_of(cluster, call)
    merged, held = _applied(live, held, stated, call, write)
    body = bodies.read_patched(call, merged)
    new = prepare.changed(resource, live, complete(resource, body), target.subresource)
    return commit(cluster, call, stored, new, held)


def _unmanaged(live: Json, resource: Resource) -> Sequence[Owner]:
    """An object whose owners were forgotten belongs to `before-first-apply`, so that an apply cannot take it silently."""
    write = Write(
        manager="before-first-apply", version=resource.api_version, time=live["metadata"]["creationTimestamp"]
    )
    return server_side.update(filling.skeleton(resource.schema), (), live, resource.schema, write)


def _create_applied(cluster: Cluster, call: Call, stated: Json) -> Written:
    resource, target = call.resource, call.target
    if target.subresource:
        raise status.not_found(resource.group, resource.plural, target.name)
    if not stated["metadata"].get("name"):
        why = f"the name of the object ({target.name} based on URL) was undeterminable: name must be provided"
        raise status.bad_request(why)
    if uid := stated["metadata"].get("uid"):
        cause = causes.wrong("metadata.uid", uid, "field is immutable")
        raise status.invalid(resource.group, resource.kind, target.name, [cause])
    check_namespace(cluster, call, target.name)
    merged, held = _applied(filling.skeleton(resource.schema), (), stated, call, write_of(cluster, call))
    return _create(cluster, call, _named(call, bodies.read_patched(call, merged)), held)


def _applied(live: Json, held: Sequence[Owner], stated: Json, call: Call, write: Write) -> tuple[Json, Sequence[Owner]]:
    """The rules of ownership, with their refusals in the API server's words."""
    try:
        return server_side.apply(live, held, stated, call.resource.schema, write)
    except owned.Untyped as error:
        namespace, name = stated["metadata"].get("namespace", ""), stated["metadata"].get("name", "")
        what = f"({namespace}/{name}; {call.resource.group + '/' if call.resource.group else '/'}{call.resource.version}, Kind={call.resource.kind})"
        raise status.Refused(500, "", f"failed to create typed patch object {what}: {error}") from error
    except Conflicts as error:
        raise status.apply_conflict(_causes(error)) from error


def _causes(conflicts: Conflicts) -> list[Cause]:
    listed: list[Cause] = []
    for conflict in sorted(conflicts.conflicts, key=lambda each: each.owner.manager):
        message = _whose(conflict.owner)
        listed.extend(Cause(path, "FieldManagerConflict", message) for path in paths(conflict.fields))
    return listed


def _whose(owner: Owner) -> str:
    """Names an owner as conflicts do: appliers by name alone, others with the version that they wrote."""
    subresource = f' with subresource "{owner.subresource}"' if owner.subresource else ""
    version = f" using {owner.version}" if owner.operation == "Update" else ""
    return f'conflict with "{owner.manager}"{subresource}{version}'

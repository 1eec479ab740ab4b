"""Server-side apply: from a request to a stored object, with conflicts in the API server's words.

The rules of ownership are in `apply.py`; what kubectl's annotation adds to them is in `last_applied.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.defaulting import conversion, filling, prepare
from gitopsd_plugins.sandbox.facts.schema import Json, Schema
from gitopsd_plugins.sandbox.merging import apply as server_side
from gitopsd_plugins.sandbox.merging import owned, owners
from gitopsd_plugins.sandbox.merging.apply import Conflicts, Write
from gitopsd_plugins.sandbox.merging.fields import difference, paths
from gitopsd_plugins.sandbox.merging.owners import Owner
from gitopsd_plugins.sandbox.requests import bodies, causes, status
from gitopsd_plugins.sandbox.requests.call import Call
from gitopsd_plugins.sandbox.requests.status import Cause
from gitopsd_plugins.sandbox.storage import strategies
from gitopsd_plugins.sandbox.verbs import creation, last_applied, writes
from gitopsd_plugins.sandbox.verbs.creation import Written


def apply(cluster: Cluster, call: Call) -> Written:
    """A server-side apply: creates the object where there is none. Raises `Refused`."""
    resource, target, manifest = call.resource, call.target, stated(call)
    stored = cluster.store.get(resource.key, (target.namespace, target.name))
    if stored is None:
        return _create_applied(cluster, call, manifest)
    live, write = conversion.converted(stored.body, resource), creation.write_of(cluster, call)
    held = owners.read(live["metadata"].get("managedFields")) or unmanaged(call, live, write)
    merged, held = applied(live, held, manifest, call, write)
    body = bodies.read_applied(call, merged, manifest)
    creation.check_name(call, body)
    creation.check_preconditions(call, stored, {"resourceVersion": manifest["metadata"].get("resourceVersion")})
    new = prepare.changed(resource, live, creation.complete(resource, body), target.subresource)
    return writes.commit(cluster, call, stored, new, held)


def stated(call: Call) -> Json:
    """The manifest of an apply. Raises `Refused`."""
    found = bodies.stated(call)
    if _metadata(found).get("managedFields") is not None:
        raise status.bad_request("metadata.managedFields must be nil")
    return found


def unmanaged(call: Call, live: Json, write: Write) -> Sequence[Owner]:
    """An object whose owners were forgotten belongs to `before-first-apply`, so that an apply cannot take it silently."""
    write = replace(write, manager="before-first-apply")
    schema = call.resource.schema
    if found := server_side.update(filling.skeleton(schema), (), live, schema, write):
        return found
    try:
        owned.of(live, schema)
    except owned.Untyped as error:
        what = f"({call.target.namespace}/{call.target.name}; {call.resource.kind_text})"
        why = f"failed to convert new object {what} to smd typed: {error}"
        raise status.Refused(500, "", f"failed to create manager for existing fields: {why}") from error
    return found


def _create_applied(cluster: Cluster, call: Call, stated: Json) -> Written:
    resource, target = call.resource, call.target
    if target.subresource and resource.key not in strategies.CREATED_BY_UPDATE:
        raise status.not_found(resource.group, resource.plural, target.name)
    merged, held = applied(filling.skeleton(resource.schema), (), stated, call, creation.write_of(cluster, call))
    body = bodies.read_applied(call, merged, stated)
    creation.check_name(call, body)
    if uid := stated["metadata"].get("uid"):
        cause = causes.wrong("metadata.uid", uid, "field is immutable")
        raise status.invalid(resource.group, resource.kind, target.name, [cause])
    return creation.store(cluster, call, creation.named(call, body), held)


def _metadata(stated: Json) -> Json:
    """The metadata of a manifest whose types were not looked at yet."""
    found = stated["metadata"]
    return found if isinstance(found, dict) else {}


def applied(live: Json, held: Sequence[Owner], stated: Json, call: Call, write: Write) -> tuple[Json, Sequence[Owner]]:
    """The rules of ownership, with their refusals in the API server's words."""
    try:
        changed, after = _merged(live, held, stated, call.resource.schema, write)
        return (last_applied.renewed(changed, stated) if write.manager == last_applied.MANAGER else changed), after
    except owned.Untyped as error:
        found = _metadata(stated)
        namespace, name = (each if isinstance(each := found.get(key), str) else "" for key in ("namespace", "name"))
        what = f"({namespace}/{name}; {call.resource.kind_text})"
        raise status.Refused(500, "", f"failed to create typed patch object {what}: {error}") from error
    except Conflicts as error:
        raise status.apply_conflict(_causes(error)) from error


def _merged(
    live: Json, held: Sequence[Owner], stated: Json, schema: Schema, write: Write
) -> tuple[Json, Sequence[Owner]]:
    """The apply, which for kubectl may take what its client-side apply stated before."""
    try:
        return server_side.apply(live, held, stated, schema, write)
    except Conflicts as error:
        if write.manager != last_applied.MANAGER:
            raise
        allowed = last_applied.allowed(live, schema)
        left = [replace(each, fields=difference(each.fields, allowed)) for each in error.conflicts]
        if left := [each for each in left if each.fields]:
            raise Conflicts(left) from error
    return server_side.apply(live, held, stated, schema, replace(write, force=True))


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

"""Update and patch: from a request to a stored object, in the order in which the API server does it.

Decode, fill in defaults, keep what the server owns, work out owners, check rules, and store unless nothing changed or it is a dry
run. Each function runs without an await, so that reading and writing are one step. New objects are made in `creation.py`, applies
come in through `applies.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.defaulting import conversion, filling, prepare, services
from gitopsd_plugins.sandbox.definitions import crd_rules
from gitopsd_plugins.sandbox.facts.decoding import json_type
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.merging import apply as server_side
from gitopsd_plugins.sandbox.merging import owners, patch, strategic
from gitopsd_plugins.sandbox.merging.apply import Paths
from gitopsd_plugins.sandbox.merging.owners import Owner
from gitopsd_plugins.sandbox.requests import bodies, identity, manifest, status
from gitopsd_plugins.sandbox.requests.call import Call
from gitopsd_plugins.sandbox.requests.status import Cause
from gitopsd_plugins.sandbox.rules import object_warnings, validation
from gitopsd_plugins.sandbox.storage import strategies
from gitopsd_plugins.sandbox.storage.store import Stored
from gitopsd_plugins.sandbox.verbs import creation, deletion, reads
from gitopsd_plugins.sandbox.verbs.creation import Written


def update(cluster: Cluster, call: Call) -> Written:
    """A PUT to an object or its status. Raises `Refused`."""
    body = bodies.read(call, bodies.document(call))
    creation.check_name(call, body)
    found = cluster.store.get(call.resource.key, (call.target.namespace, call.target.name))
    if found is None and call.resource.key in strategies.CREATED_BY_UPDATE:
        return creation.store(cluster, call, creation.named(call, body), None)
    stored = reads.found(cluster, call)
    check_uid(call, stored, body["metadata"])
    _demand_version(call, body["metadata"])
    return replace(cluster, call, stored, body)


def _demand_version(call: Call, metadata: Json) -> None:
    """Refuse an update of whatever version there is, where the resource does not take one."""
    resource = call.resource
    demanded = resource.custom or resource.key in strategies.VERSION_DEMANDED
    if demanded and metadata.get("resourceVersion", "") in ("", "0"):
        cause = Cause(
            "metadata.resourceVersion", "FieldValueInvalid", "Invalid value: 0: must be specified for an update"
        )
        raise status.invalid(resource.group, resource.plural, call.target.name, [cause])


def replace(cluster: Cluster, call: Call, stored: Stored, body: Json, unowned: Paths = ()) -> Written:
    """Put a decoded object in place of a stored one, as an update by the request's manager. Raises `Refused`.

    Nobody owns the fields of `unowned` afterwards.
    """
    resource = call.resource
    creation.check_preconditions(call, stored, body["metadata"])
    live = conversion.converted(stored.body, resource)
    held = _stated_owners(live, body)
    completed = creation.complete(resource, body)
    new = prepare.changed(resource, live, completed, call.target.subresource)
    if held:  # an object whose owners were forgotten has none until somebody applies
        seen = _stated(new, completed)
        if resource.key == ("", "services") and not call.target.subresource:  # what is kept for it, it did not state
            seen = {**seen, "spec": completed["spec"]}
        held = server_side.update(live, held, seen, resource.schema, creation.write_of(cluster, call))
    return commit(cluster, call, stored, new, owners.without(held, unowned))


_DOOM = ("deletionTimestamp", "deletionGracePeriodSeconds")


def _stated(new: Json, body: Json) -> Json:
    """An object that is being deleted as the client states it: who leaves the time out takes it from whoever owned it."""
    kept = {name: item for name, item in new["metadata"].items() if name not in _DOOM or name in body["metadata"]}
    return {**new, "metadata": kept} if len(kept) < len(new["metadata"]) else new


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
    new = prepare.counted(resource, live, new)
    found = [*validation.of_change(resource, live, new, call.target.subresource), *crd_rules.of(resource, new, live)]
    found += creation.broken_expressions(call, new, live, found)
    if found:
        raise status.invalid(resource.group, resource.kind, call.target.name, found)
    if call.target.subresource != "status":
        call.warnings.extend(object_warnings.of_change(resource.key, live, new))
    if resource.key == ("", "services") and services.is_whole(live):
        new = services.allocated(new, cluster.addresses)
    if not resource.custom:
        new = filling.hollowed(new, resource.schema)
    if not stored.unsettled and _unchanged(live, new, held):
        return stored
    body = conversion.stored(creation.with_owners(new, held), resource)
    if call.dry_run:
        return _versioned(body, stored)
    if deletion.is_free(stored, body):
        cluster.store.remove(stored)
        return _versioned(body, stored)
    return cluster.store.put(resource.key, stored.key, body)


def _versioned(body: Json, stored: Stored) -> Json:
    """An object that is not stored, shown at the version of the one that is."""
    return {**body, "metadata": {**body["metadata"], "resourceVersion": str(stored.version)}}


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
    """A PATCH to an object or its status that is no apply. Raises `Refused`."""
    stored = reads.found(cluster, call)
    live = conversion.converted(stored.body, call.resource)
    body = bodies.read_patched(call, identity.patched(call, after_patch(call, live)))
    creation.check_name(call, body)
    return replace(cluster, call, stored, body)


def after_patch(call: Call, live: Json) -> Json:
    """An object after the request's patch. Raises `Refused`."""
    document = bodies.patch(call)
    try:
        return patched(call, live, document)
    except patch.Malformed as error:
        raise bodies.refuse_patch(call, str(error)) from error
    except patch.Failed as error:
        raise status.unprocessable() from error


def patched(call: Call, live: Json, document: Any) -> Json:
    """An object after a patch of the request's type. Raises `patch.Malformed`, `patch.Failed` and `Refused`."""
    match call.content_type:
        case "application/json-patch+json":
            return patch.json_patch(live, document)
        case "application/merge-patch+json":
            if document is None:
                raise status.bad_request("Invalid JSON Patch")
            return patch.merge(live, _object(document))  # type: ignore[no-any-return]  # of two objects
        case manifest.STRATEGIC if not call.resource.custom:
            return strategic.merge(live, _object({} if document is None else document), call.resource.schema)
    raise status.unsupported_media_type()


def _object(value: Any) -> Json:
    if not isinstance(value, dict):
        why = f"json: cannot unmarshal {json_type(value)} into Go value of type map[string]interface {{}}"
        raise patch.Malformed(why)
    return value

"""The subresource `scale`: the number of replicas of an object, shown and written as a Scale.

Whoever scales owns that number only. An apply is one to the Scale, whose owners are those of the object that own the number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.defaulting import conversion, prepare
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.merging import fields, owners, patch
from gitopsd_plugins.sandbox.merging.fields import FieldSet
from gitopsd_plugins.sandbox.merging.owners import Owner
from gitopsd_plugins.sandbox.requests import bodies, causes, identity, status
from gitopsd_plugins.sandbox.requests.call import Call, speaking
from gitopsd_plugins.sandbox.storage.store import Stored
from gitopsd_plugins.sandbox.verbs import applies, creation, reads, writes
from gitopsd_plugins.sandbox.verbs.creation import Written

BUILT_IN: Json = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".spec.selector",
}
_REPLICAS = ("f:spec", "f:replicas")
_OWNED: FieldSet = {"f:spec": {"f:replicas": {}}}
"""What those own of a Scale who own the number of replicas of its object."""


def answer(cluster: Cluster, call: Call) -> Json:
    """Get, put, patch or apply a scale. Raises `Refused`."""
    stored = reads.found(cluster, call)
    paths = call.resource.scale or BUILT_IN
    shown = _scale(stored, paths)
    if call.verb == "get":
        if call.resource.custom and _at(stored.body, paths["specReplicasPath"]) is None:
            raise status.internal(f'the spec replicas field "{paths["specReplicasPath"]}" does not exist')
        return shown
    spoken = speaking(call, "autoscaling", "Scale")
    written = _apply(cluster, call, spoken, stored) if call.is_apply() else _replace(cluster, call, spoken, stored)
    if isinstance(written, Stored):
        return _scale(written, paths)
    return {**shown, "spec": _spec(_at(written, paths["specReplicasPath"]))}


def _replace(cluster: Cluster, call: Call, spoken: Call, stored: Stored) -> Written:
    paths = call.resource.scale or BUILT_IN
    wanted = _wanted(spoken, _scale(stored, paths))
    writes.check_uid(call, stored, wanted["metadata"])
    creation.check_preconditions(call, stored, wanted["metadata"])
    replicas, path = _replicas(call, wanted), _path(paths)
    body = _scaled(stored.body, paths, replicas)
    # a Scale of zero has no field that anyone could own, and where nobody owns it nobody comes to own it by scaling
    is_owned = any(fields.has(owner.fields, path) for owner in owners.read(stored.metadata.get("managedFields")))
    return writes.replace(cluster, call, stored, body, () if replicas and is_owned else (path,))


def _apply(cluster: Cluster, call: Call, spoken: Call, stored: Stored) -> Written:
    paths = call.resource.scale or BUILT_IN
    shown, stated, path = _scale(stored, paths), applies.stated(spoken), _path(paths)
    write = replace(creation.write_of(cluster, call), version=spoken.resource.api_version)
    everyone = owners.read(stored.metadata.get("managedFields"))
    holders: Sequence[Owner] = [
        replace(owner, version=write.version, fields=_OWNED) for owner in everyone if fields.has(owner.fields, path)
    ]
    if not holders and call.resource.custom:
        what = f"(/; {spoken.resource.kind_text})"
        raise _unconvertible(f"failed to create manager for existing fields: failed to convert live object {what}")
    merged, after = applies.applied(shown, holders or applies.unmanaged(spoken, shown, write), stated, spoken, write)
    if call.resource.custom and merged != shown:
        named = "/".join(stated["metadata"].get(key) or "" for key in ("namespace", "name"))
        raise _unconvertible(f"failed to convert new object ({named}; {spoken.resource.kind_text})")
    wanted = bodies.read_applied(spoken, merged, stated)
    creation.check_name(call, wanted)
    _check_uid(call, stored, stated["metadata"])
    creation.check_preconditions(call, stored, {"resourceVersion": stated["metadata"].get("resourceVersion")})
    live = conversion.converted(stored.body, call.resource)
    body = creation.complete(call.resource, _scaled(live, paths, _replicas(call, wanted)))
    new = prepare.changed(call.resource, live, body, call.target.subresource)
    holders = [owner for owner in after if fields.has(owner.fields, _REPLICAS)]
    held = _with_holders(everyone, holders, path, call.resource.api_version)
    return writes.commit(cluster, call, stored, new, held)


def _unconvertible(what: str) -> status.Refused:
    """What a real server says of a custom resource's Scale where an apply does more than share what is there: it knows no way."""
    why = "request to convert CR to an invalid group/version: autoscaling/v1"
    return status.Refused(500, "", f"{what} to proper version: {why}")


def _check_uid(call: Call, stored: Stored, metadata: Json) -> None:
    if (uid := metadata.get("uid")) not in (None, "", stored.uid):
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {stored.uid}"
        raise status.conflict(call.resource.group, f"{call.resource.plural}/scale", call.target.name, why)


def _with_holders(
    everyone: Sequence[Owner], holders: Sequence[Owner], path: tuple[str, ...], version: str
) -> Sequence[Owner]:
    """The owners of an object, after an apply left its number of replicas to `holders`."""
    left = {(each.manager, each.operation, each.subresource): each for each in holders}
    lost = [
        each
        for each in everyone
        if fields.has(each.fields, path) and not left.pop((each.manager, each.operation, each.subresource), None)
    ]
    kept = [*(each for each in everyone if each not in lost), *owners.without(lost, (path,))]
    held: FieldSet = _nested(path, {})
    return [*kept, *(replace(each, version=version, fields=fields.shared(held)) for each in left.values())]


def _scaled(live: Json, paths: Json, replicas: int) -> Json:
    """An object with another number of replicas."""
    found: Json = patch.merge(live, _nested(paths["specReplicasPath"].strip(".").split("."), replicas))
    return {**found, "metadata": {**live["metadata"]}}


def _path(paths: Json) -> tuple[str, ...]:
    return tuple(f"f:{key}" for key in paths["specReplicasPath"].strip(".").split("."))


def _replicas(call: Call, wanted: Json) -> int:
    """The number that a Scale asks for. Raises `Refused`."""
    replicas: int = (wanted.get("spec") or {}).get("replicas", 0)
    if not call.resource.custom and replicas < 0:
        cause = causes.wrong("spec.replicas", replicas, "must be greater than or equal to 0")
        raise status.invalid("autoscaling", "Scale", call.target.name, [cause])
    return replicas


def _spec(replicas: Any) -> Json:
    return {"replicas": replicas} if replicas else {}


def _wanted(call: Call, shown: Json) -> Json:
    """The Scale that is asked for. Raises `Refused`."""
    if call.verb == "update":
        body = bodies.read(call, bodies.document(call))
    else:
        body = bodies.read_patched(call, identity.patched(call, writes.after_patch(call, shown)))
    creation.check_name(call, body)
    return body


def _scale(stored: Stored, paths: Json) -> Json:
    metadata = {
        name: stored.metadata[name]
        for name in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        if name in stored.metadata
    }
    result: Json = {"replicas": _at(stored.body, paths.get("statusReplicasPath", "")) or 0}
    selector = _at(stored.body, paths.get("labelSelectorPath", ""))
    if text := _selector_text(selector):
        result["selector"] = text
    spec = _spec(_at(stored.body, paths["specReplicasPath"]))
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": result}


def _at(body: Any, path: str) -> Any:
    for key in path.strip(".").split("."):
        body = body.get(key) if isinstance(body, dict) else None
    return body


def _nested(path: Sequence[str], value: Any) -> Json:
    for key in reversed(path):
        value = {key: value}
    result: Json = value
    return result


def _selector_text(selector: Any) -> str:
    if isinstance(selector, str):
        return selector
    labels = (selector or {}).get("matchLabels") or {}
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))

"""Whether an object may be stored: rules on metadata of every object, then those of its kind.

It sees an object after its defaults, and on updates the live one; it changes nothing. Custom resources are checked by
their schema too (`crd_rules.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from gitopsd_plugins.sandbox.facts import names
from gitopsd_plugins.sandbox.facts.resources import Resource
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import causes
from gitopsd_plugins.sandbox.requests.status import Cause
from gitopsd_plugins.sandbox.rules import immutability, kind_rules, label_rules


def of_new(resource: Resource, body: Json) -> list[Cause]:
    """What is wrong with an object that is to be created."""
    found = [*_metadata(resource, body["metadata"])]
    if check := kind_rules.OF.get(resource.key):
        found.extend(check(body))
    return found


def of_change(resource: Resource, live: Json, body: Json, subresource: str = "") -> list[Cause]:
    """What is wrong with an object that is to replace `live`, by a write of the object or of its status."""
    found = [*_metadata(resource, body["metadata"]), *_finalizers(live["metadata"], body["metadata"])]
    if live["metadata"]["uid"] != body["metadata"].get("uid"):
        found.append(causes.wrong("metadata.uid", body["metadata"].get("uid"), "field is immutable"))
    if subresource == "status":
        return [*found, *kind_rules.OF_STATUS.get(resource.key, _nothing)(body)]
    if check := kind_rules.OF.get(resource.key):
        found.extend(check(body))
    if change := immutability.OF.get(resource.key):
        found.extend(change(live, body))
    return found


def _nothing(_: Json) -> Iterator[Cause]:
    return iter(())


def _metadata(resource: Resource, metadata: Json) -> Iterator[Cause]:
    name = metadata.get("name", "")
    if not name:
        yield causes.required("metadata.name", "name or generateName is required")
    elif why := names.object_name(name, "" if resource.custom else resource.plural):
        yield causes.wrong("metadata.name", name, why)
    yield from label_rules.of_labels(metadata.get("labels") or {}, "metadata.labels")
    yield from label_rules.of_annotations(metadata.get("annotations") or {}, "metadata.annotations")
    yield from _owner_references(metadata)
    yield from _finalizer_names(resource, metadata.get("finalizers") or [])


_STANDARD = ("kubernetes", "orphan", "foregroundDeletion")


def _finalizer_names(resource: Resource, finalizers: list[str]) -> Iterator[Cause]:
    for index, name in enumerate(finalizers):
        if why := names.qualified(name):
            yield causes.wrong("metadata.finalizers", name, why)
        if "/" not in name and name not in _STANDARD and not resource.custom:
            why = "name is neither a standard finalizer name nor is it fully qualified"
            yield causes.wrong(f"metadata.finalizers[{index}]", name, why)
    if {"orphan", "foregroundDeletion"} <= set(finalizers):
        why = "finalizer orphan and foregroundDeletion cannot be both set"
        yield causes.wrong("metadata.finalizers", finalizers, why)


def _owner_references(metadata: Json) -> Iterator[Cause]:
    for reference in metadata.get("ownerReferences") or ():
        for field in ("apiVersion", "kind", "name", "uid"):
            if not reference.get(field):
                why = "version must not be empty" if field == "apiVersion" else "must not be empty"
                yield causes.wrong(f"metadata.ownerReferences.{field}", "", why)


def _finalizers(live: Json, metadata: Json) -> Iterator[Cause]:
    added = [name for name in metadata.get("finalizers") or () if name not in (live.get("finalizers") or ())]
    if "deletionTimestamp" in live and added:
        listed = ", ".join(f'"{name}"' for name in sorted(added))
        why = f"Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{{{listed}}}"
        yield Cause("metadata.finalizers", "FieldValueForbidden", why)

"""The annotation in which client-side apply keeps what it stated, when kubectl goes on by server-side apply.

Only the manager `kubectl` gets this: what the annotation says was its own and still is counts as no conflict, and the annotation
is kept up to date. Pure; it knows owners by their conflicts only.
"""

from __future__ import annotations

import msgspec

from gitopsd_plugins.sandbox.facts.schema import Json, Schema
from gitopsd_plugins.sandbox.merging import fields, owned
from gitopsd_plugins.sandbox.merging.compare import compare
from gitopsd_plugins.sandbox.merging.fields import FieldSet
from gitopsd_plugins.sandbox.storage.store import encode

ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"
MANAGER = "kubectl"


def allowed(live: Json, schema: Schema) -> FieldSet:
    """The fields that the annotation states and whose values are still those."""
    text = (live["metadata"].get("annotations") or {}).get(ANNOTATION)
    if not text:
        return {}
    try:
        stated = msgspec.json.decode(text)
        if not isinstance(stated, dict) or stated.get("apiVersion") != live.get("apiVersion"):
            return {}
        held = owned.of(stated, schema)
    except (msgspec.DecodeError, owned.Untyped):
        return {}
    difference = compare(stated, live, schema)
    return fields.difference(fields.difference(held, difference.changed), difference.removed)


def renewed(body: Json, stated: Json) -> Json:
    """An object that has the annotation, with the manifest that was applied now."""
    metadata = body["metadata"]
    annotations = metadata.get("annotations") or {}
    if not annotations.get(ANNOTATION):
        return body
    own = stated["metadata"]
    if "annotations" in own:
        kept = {name: value for name, value in own["annotations"].items() if name != ANNOTATION}
        own = {**own, "annotations": kept}
    text = encode({**stated, "metadata": own}).decode() + "\n"
    return {**body, "metadata": {**metadata, "annotations": {**annotations, ANNOTATION: text}}}

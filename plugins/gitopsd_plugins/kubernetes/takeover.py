"""Taking fields over from another field manager: the patch of an object's managedFields that moves them into our entry.

Pure. An apply alone would leave the old manager as co-owner, so that a field removed from Git stayed in the cluster for
ever. The patch states the resourceVersion, so the server refuses it where the object changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from gitopsd.plugin import Body
from gitopsd_plugins.kubernetes import live


def patch(body: Body, contested: Collection[str], manager: str) -> list[dict[str, Any]]:
    """The JSON patch; empty where none of `contested` owns anything."""
    entries = list(body["metadata"].get("managedFields") or [])
    taken = [entry for entry in entries if entry.get("manager") in contested and not entry.get("subresource")]
    if not taken:
        return []
    own = live.own_entry(entries, manager)
    fields: dict[str, Any] = dict(own.get("fieldsV1") or {}) if own else {}
    for entry in taken:
        fields = _union(fields, entry.get("fieldsV1") or {})
    merged = {**(own or _entry(body, taken[0], manager)), "fieldsV1": fields}
    kept = [entry for entry in entries if entry not in taken and entry is not own]
    return [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": body["metadata"]["resourceVersion"]},
        {"op": "replace", "path": "/metadata/managedFields", "value": [merged, *kept]},
    ]


def _entry(body: Body, taken: Mapping[str, Any], manager: str) -> dict[str, Any]:
    entry = {"manager": manager, "operation": "Apply", "apiVersion": body["apiVersion"], "fieldsType": "FieldsV1"}
    return {**entry, "time": taken["time"]} if "time" in taken else entry


def _union(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(one)
    for key, value in other.items():
        mine = merged.get(key)
        merged[key] = _union(mine, value) if isinstance(mine, Mapping) and isinstance(value, Mapping) else value
    return merged

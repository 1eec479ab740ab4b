"""Bringing an object's field ownership from a version that its definition dropped to one that is served. Pure.

The server keeps what each manager holds in the version that it wrote in, and refuses every apply to a custom resource as long
as one of these versions is gone. The paths are kept as they are: versions of a kind seldom differ in them, and what is only
held under an old name is held for nothing.
"""

from __future__ import annotations

from typing import Any

from gitopsd.plugin import Body
from gitopsd_plugins.kubernetes import takeover


def patch(body: Body, gone: str, api_version: str) -> list[dict[str, Any]]:
    """The JSON patch; empty where nobody holds anything in the version that is gone."""
    entries = list(body["metadata"].get("managedFields") or [])
    if not any(entry.get("apiVersion") == gone for entry in entries):
        return []
    kept: dict[tuple[Any, ...], dict[str, Any]] = {}
    for entry in entries:
        renewed = {**entry, "apiVersion": api_version} if entry.get("apiVersion") == gone else dict(entry)
        who = tuple(renewed.get(part) for part in ("manager", "operation", "subresource", "apiVersion"))
        if who in kept:  # to the server these are one
            renewed["fieldsV1"] = takeover.union(kept[who].get("fieldsV1") or {}, renewed.get("fieldsV1") or {})
        kept[who] = renewed
    return [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": body["metadata"]["resourceVersion"]},
        {"op": "replace", "path": "/metadata/managedFields", "value": list(kept.values())},
    ]

"""An object of the API server as the core's `Live`, with the mark that tells drift.

Pure. The mark digests the uid and our own Apply entry's fields and time: the server rewrites that entry whenever somebody
else changes or takes a field that we state, and leaves it alone on status, foreign fields and equal values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gitopsd.plugin import Actor, Body, Live, digest
from gitopsd_plugins.kubernetes import owner as owners
from gitopsd_plugins.kubernetes.discovery import Resource


def of(body: Body, resource: Resource, actor: Actor) -> Live:
    """The object as it stands. List items carry no kind of their own; the resource has it."""
    metadata = body.get("metadata") or {}
    owner = owners.of(body, actor.instance)
    return Live(
        id=resource.id(metadata.get("namespace", ""), metadata.get("name", "")),
        version=resource.version,
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        owner=owner,
        mark=mark(body, actor.field_manager),
        terminating=bool(metadata.get("deletionTimestamp")),
        body=_without_managers(body, resource),
        contested=owners.contested(body, owner),
        managers=tuple(metadata.get("managedFields") or ()),
        yields=_is_scaled(metadata.get("managedFields") or []),
        changed_by=_last_other(metadata.get("managedFields") or [], actor.field_manager),
    )


def mark(body: Body, manager: str) -> str:
    """Digest of our hold on the object; '' while we own nothing of it."""
    metadata = body.get("metadata") or {}
    entry = own_entry(metadata.get("managedFields") or [], manager)
    if entry is None:
        return ""
    # of every object that is written, listed or watched: several times as fast as `of_value`, and these are plain strings
    held = [metadata.get("uid", ""), entry.get("fieldsV1"), entry.get("time")]
    return digest.of_bytes(msgspec.json.encode(held, order="deterministic"))


def own_entry(entries: list[Mapping[str, Any]], manager: str) -> Mapping[str, Any] | None:
    """The entry of our server-side apply among an object's managedFields."""
    return next(
        (
            entry
            for entry in entries
            if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource")
        ),
        None,
    )


def _is_scaled(entries: list[Mapping[str, Any]]) -> bool:
    """True where something that is not a person scales the object."""
    return any(e.get("subresource") == "scale" and not str(e.get("manager")).startswith("kubectl") for e in entries)


def _last_other(entries: list[Mapping[str, Any]], manager: str) -> str:
    others = [e for e in entries if e.get("manager") != manager and e.get("subresource") != "status"]
    last = max(others, key=lambda entry: str(entry.get("time", "")), default=None)
    return str(last.get("manager", "")) if last else ""


def _without_managers(body: Body, resource: Resource) -> Body:
    metadata = {key: value for key, value in (body.get("metadata") or {}).items() if key != "managedFields"}
    return {**body, "apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}

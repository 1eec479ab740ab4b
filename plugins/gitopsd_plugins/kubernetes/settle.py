"""When definitions can be used: a CRD is established and its kind is served, a Namespace is active."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from gitopsd.plugin import Body, GitopsdError, Manifest, ResourceId, Stage
from gitopsd_plugins.kubernetes.client import Client
from gitopsd_plugins.kubernetes.discovery import Discovery, Resource

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0


async def settled(client: Client, discovery: Discovery, stage: Stage, timeout: float) -> Sequence[ResourceId]:
    """Wait up to `timeout` seconds; what cannot be used then."""
    waiting = [m for m in stage.manifests if m.id.kind in {"CustomResourceDefinition", "Namespace"}]
    pause = _FIRST_PAUSE
    with anyio.move_on_after(timeout):
        while waiting:
            waiting = [m for m in waiting if not await _is_usable(client, discovery, m)]
            if waiting:
                await anyio.sleep(pause)
                pause = min(pause * 1.5, _LONGEST_PAUSE)
    return [manifest.id for manifest in waiting]


async def _is_usable(client: Client, discovery: Discovery, manifest: Manifest) -> bool:
    resource = await discovery.find(manifest.id.group, manifest.id.kind)
    if resource is None:
        return False
    try:
        reply = await client.get(resource.path("", manifest.id.name))
        if not reply.ok:
            return False
        if manifest.id.kind == "Namespace":
            return (reply.body.get("status") or {}).get("phase") == "Active"
        return _is_established(reply.body) and await _is_served(client, discovery, reply.body)
    except GitopsdError:
        return False  # asked again until the time is over; the caller then names the object


def _is_established(body: Body) -> bool:
    conditions: Sequence[Mapping[str, Any]] = (body.get("status") or {}).get("conditions") or []
    return any(c.get("type") == "Established" and c.get("status") == "True" for c in conditions)


async def _is_served(client: Client, discovery: Discovery, body: Body) -> bool:
    """Discovery lists every served version, and the collection answers: a new kind's path is 404 for a moment after that."""
    spec = body["spec"]
    kind = spec["names"]["kind"]
    versions = [version["name"] for version in spec["versions"] if version.get("served")]
    if not _has(discovery, spec["group"], kind, versions):
        await discovery.refresh()
    if not _has(discovery, spec["group"], kind, versions):
        return False
    resources = [_found(discovery, spec["group"], kind, version) for version in versions]
    replies = [await client.get(resource.path(), {"limit": "1"}) for resource in resources if resource is not None]
    return all(reply.status != 404 for reply in replies)


def _has(discovery: Discovery, group: str, kind: str, versions: Sequence[str]) -> bool:
    return all(_found(discovery, group, kind, version) is not None for version in versions)


def _found(discovery: Discovery, group: str, kind: str, version: str) -> Resource | None:
    resource = discovery.kinds.find(group, kind, version)
    return resource if resource is not None and resource.version == version else None

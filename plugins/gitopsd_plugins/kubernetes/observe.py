"""Live state of many objects with few requests: a paged list per kind where many are asked for, single reads where few are.

The list asks for our instance's labels only, so its size is that of what we own, not of the cluster. What it does not show is not
ours yet or not there: a list of metadata tells which, and only what is there is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from gitopsd.plugin import Actor, Body, Live, ResourceId, Versioned
from gitopsd_plugins.kubernetes import live as lives
from gitopsd_plugins.kubernetes import owner, pages, refusal, tasks
from gitopsd_plugins.kubernetes.client import METADATA_LIST, Client
from gitopsd_plugins.kubernetes.discovery import Discovery, Resource
from gitopsd_plugins.kubernetes.pages import Listing

_FEW = 8
"""Up to so many objects of a kind are read one by one: a list costs the server about as much."""


async def observed(
    client: Client, discovery: Discovery, actor: Actor, ids: Collection[Versioned]
) -> Mapping[ResourceId, Live]:
    """What is there of `ids`. Raises `Rejected` where the identity may not read a kind, `Transient` where no answer comes."""

    async def of_one(group: tuple[Resource, set[ResourceId]]) -> Mapping[ResourceId, Live]:
        return await _of_resource(client, actor, *group)

    parts = await tasks.each(of_one, (await _by_resource(discovery, ids)).items())
    return {it: live for part in parts for it, live in part.items()}


async def _of_resource(
    client: Client, actor: Actor, resource: Resource, wanted: set[ResourceId]
) -> Mapping[ResourceId, Live]:
    if len(wanted) <= _FEW:
        return await _read_each(client, resource, actor, wanted)
    listed = await _listed(client, resource, actor, {it.namespace for it in wanted})
    found = {it: listed[it] for it in wanted if it in listed}
    rest = wanted - listed.keys()
    if len(rest) > _FEW:
        rest &= await _present(client, resource, rest)
    return {**found, **await _read_each(client, resource, actor, rest)}


async def one(client: Client, resource: Resource, actor: Actor, it: ResourceId) -> Live | None:
    """One object; None where it is not there."""
    reply = await client.get(resource.path(it.namespace, it.name))
    if reply.status == 404:
        return None
    if not reply.ok:
        raise refusal.error(reply, f"{it} could not be read")
    return lives.of(reply.body, resource, actor)


async def every(client: Client, discovery: Discovery, kind: tuple[str, str, str]) -> Sequence[Body]:
    """All objects of (group, version, kind), whosever they are; none of a kind that the server does not have."""
    group, version, name = kind
    resource = await discovery.find(group, name, version)
    if resource is None:
        return ()
    envelope = {"apiVersion": resource.api_version, "kind": resource.kind}
    listing = await pages.read(
        client, resource.path(), {}, lambda item: {**envelope, **item, "metadata": _plain(item["metadata"])}
    )
    if listing.refusal is not None:
        raise refusal.error(listing.refusal, f"{resource.plural}.{group} could not be listed")
    return listing.items


def _plain(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in metadata.items() if key != "managedFields"}


async def _by_resource(discovery: Discovery, ids: Collection[Versioned]) -> Mapping[Resource, set[ResourceId]]:
    """Ids by the resource to read them from; those of a kind that the server does not have cannot exist."""
    kinds: dict[tuple[str, str, str], set[ResourceId]] = {}
    for it, version in ids:
        kinds.setdefault((it.group, it.kind, version), set()).add(it)
    groups: dict[Resource, set[ResourceId]] = {}
    for (group, kind, version), some in kinds.items():
        resource = await discovery.find(group, kind, version) or discovery.kinds.find(group, kind)
        if resource is not None:
            groups.setdefault(resource, set()).update(some)
    return groups


async def _listed(
    client: Client, resource: Resource, actor: Actor, namespaces: Iterable[str]
) -> Mapping[ResourceId, Live]:
    async def of(namespace: str) -> Listing[Live]:
        return await pages.read(client, resource.path(namespace), params, lambda body: lives.of(body, resource, actor))

    params = {"labelSelector": owner.selector(actor.instance)}
    listing = await of("")
    listings = [listing]
    if listing.refusal is not None and listing.refusal.status == 403 and resource.namespaced:
        listings = [await of(namespace) for namespace in sorted(namespaces)]
    return {live.id: live for listing in listings for live in listing.items}


async def _present(client: Client, resource: Resource, wanted: Collection[ResourceId]) -> set[ResourceId]:
    """Which of these are there, by lists of metadata: at first contact that is one list instead of a read per object."""

    def id_of(body: Body) -> ResourceId:
        metadata = body.get("metadata") or {}
        return resource.id(metadata.get("namespace", ""), metadata.get("name", ""))

    async def of(namespace: str) -> Listing[ResourceId]:
        return await pages.read(client, resource.path(namespace), {}, id_of, accept=METADATA_LIST)

    namespaces = {it.namespace for it in wanted}
    if len(namespaces) > _FEW or not resource.namespaced:
        listing = await of("")
        if listing.refusal is None:
            return set(listing.items)
    if not resource.namespaced:
        return set(wanted)
    listings = [await of(name) for name in sorted(namespaces)]
    if any(listing.refusal is not None for listing in listings):
        return set(wanted)  # not allowed to list: they are read one by one
    return {it for listing in listings for it in listing.items}


async def _read_each(
    client: Client, resource: Resource, actor: Actor, ids: Iterable[ResourceId]
) -> dict[ResourceId, Live]:
    async def read(it: ResourceId) -> Live | None:
        return await one(client, resource, actor, it)

    found = await tasks.each(read, ids)
    return {live.id: live for live in found if live is not None}

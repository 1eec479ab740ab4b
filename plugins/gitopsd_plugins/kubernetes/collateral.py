"""What the deletion of a Namespace or a definition takes along: everything in the one, every object of the other.

Only metadata is listed. What the server itself puts into every namespace is left out. A kind that cannot be listed counts as present.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitopsd.plugin import Actor, Live, ResourceId, Unmanaged
from gitopsd_plugins.kubernetes import live as lives
from gitopsd_plugins.kubernetes import observe, pages, tasks
from gitopsd_plugins.kubernetes.client import METADATA_LIST, Client
from gitopsd_plugins.kubernetes.discovery import Discovery, Resource

_STORED = frozenset({"list", "delete"})
"""Verbs of a kind whose objects are kept; metrics, for one, can be listed only."""
_HOUSEKEEPING_KINDS = frozenset({"Event", "Endpoints", "EndpointSlice", "Lease"})
_HOUSEKEEPING = frozenset({("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")})


async def of(client: Client, discovery: Discovery, actor: Actor, live: Live) -> Sequence[Live]:
    """The objects that would go too, each once; a `Live` with an empty name for each kind that cannot be listed."""
    match live.id.group, live.id.kind:
        case "", "Namespace":
            await discovery.refresh()  # kinds that others defined meanwhile count too
            namespace = live.id.name
            resources = [r for r in _one_version_each(discovery) if r.namespaced]
        case "apiextensions.k8s.io", "CustomResourceDefinition":
            namespace, resources = "", await _defined_by(client, discovery, actor, live)
        case _:
            return ()

    async def look(resource: Resource) -> Iterable[Live]:
        return await _listed(client, actor, resource, namespace)

    lists = [*await tasks.each(look, resources), _unanswered(discovery, namespace)]
    found = {item.uid or str(item.id): item for listed in lists for item in listed}
    return sorted(found.values(), key=lambda item: item.id)


async def _listed(client: Client, actor: Actor, resource: Resource, namespace: str) -> Iterable[Live]:
    listing = await pages.read(
        client, resource.path(namespace), {}, lambda body: lives.of(body, resource, actor), accept=METADATA_LIST
    )
    if listing.refusal is not None:
        return () if listing.refusal.status in {404, 405} else (_unlisted(resource, namespace),)
    return [live for live in listing.items if not _is_housekeeping(live.id)]


def _one_version_each(discovery: Discovery) -> Iterable[Resource]:
    """Every kind that can be listed, in its preferred version, without those that only housekeep."""
    preferred = (versions[0] for versions in discovery.kinds.resources.values())
    return (r for r in preferred if r.verbs >= _STORED and r.kind not in _HOUSEKEEPING_KINDS)


def _unanswered(discovery: Discovery, namespace: str) -> Iterable[Live]:
    """API groups that do not answer and were never seen answering: what they hold in the namespace nobody knows."""
    known = {group for group, _ in discovery.kinds.resources}
    silent = sorted(discovery.kinds.stale - known) if namespace else ()
    return [
        _unlisted(Resource(group=group, version="", kind="(unknown)", plural="", namespaced=True), namespace)
        for group in silent
    ]


async def _defined_by(client: Client, discovery: Discovery, actor: Actor, live: Live) -> list[Resource]:
    definition = live
    if "spec" not in live.body:
        resource = await discovery.find(live.id.group, live.id.kind)
        definition = (await observe.one(client, resource, actor, live.id) if resource else None) or live
    spec = definition.body.get("spec") or {}
    found = discovery.kinds.find(spec.get("group", ""), (spec.get("names") or {}).get("kind", ""))
    return [found] if found is not None else []


def _is_housekeeping(it: ResourceId) -> bool:
    return it.kind in _HOUSEKEEPING_KINDS or (it.kind, it.name) in _HOUSEKEEPING


def _unlisted(resource: Resource, namespace: str) -> Live:
    return Live(
        id=resource.id(namespace, ""),
        version=resource.version,
        uid="",
        resource_version="",
        owner=Unmanaged(),
        mark="",
        body={},
    )

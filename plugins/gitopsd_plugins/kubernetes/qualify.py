"""Where manifests belong: kinds in a namespace get one (`default` where none is named), cluster-wide kinds lose theirs.

A kind that the server does not know yet is looked up among the definitions of the same set; one that nobody knows stays
as it is written and is reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gitopsd.plugin import Manifest, Qualified, ResourceId, digest
from gitopsd_plugins.kubernetes.discovery import Discovery

_DEFAULT = "default"


async def settled(manifests: Sequence[Manifest], discovery: Discovery) -> Qualified:
    """The manifests with their namespaces, in the same order."""
    promised = _promised(manifests)
    unknown: set[ResourceId] = set()
    placed = []
    for manifest in manifests:
        resource = await discovery.find(manifest.id.group, manifest.id.kind, manifest.version)
        namespaced = resource.namespaced if resource else promised.get((manifest.id.group, manifest.id.kind))
        manifest = manifest if namespaced is None else _placed(manifest, namespaced=namespaced)
        if resource is None:
            unknown.add(manifest.id)
        placed.append(manifest)
    return Qualified(manifests=tuple(placed), unknown=frozenset(unknown))


def _promised(manifests: Sequence[Manifest]) -> Mapping[tuple[str, str], bool]:
    """Whether the kinds that this set defines itself are namespaced."""
    specs = (m.body.get("spec") for m in manifests if m.id.kind == "CustomResourceDefinition")
    return {
        (spec.get("group", ""), (spec.get("names") or {}).get("kind", "")): spec.get("scope") == "Namespaced"
        for spec in specs
        if isinstance(spec, Mapping)
    }


def _placed(manifest: Manifest, *, namespaced: bool) -> Manifest:
    namespace = (manifest.id.namespace or _DEFAULT) if namespaced else ""
    if namespace == manifest.id.namespace:
        return manifest
    metadata: dict[str, Any] = {key: value for key, value in manifest.body["metadata"].items() if key != "namespace"}
    if namespace:
        metadata["namespace"] = namespace
    return replace(
        manifest,
        id=replace(manifest.id, namespace=namespace),
        body={**manifest.body, "metadata": metadata},
        digest=digest.of_value([manifest.digest, namespace]),  # the old digest may be keyed; this one keeps it so
    )

"""PURE. Declared objects among rendered manifests: in the file home they join the declared set, with the app as parent.

They are remembered in the parent's inventory like any object, but never written to the cluster.
"""

from __future__ import annotations

from collections.abc import Sequence

from gitopsd.model.declared import AppIntent
from gitopsd.model.errors import Misconfigured
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.manifest import Manifest
from gitopsd.plugin.registry import Registry

SHOWN = 3
"""Broken children that a message tells in full."""


def split(manifests: Sequence[Manifest], registry: Registry) -> tuple[tuple[Manifest, ...], tuple[Manifest, ...]]:
    """(objects for the cluster, declared objects)."""
    declared = [is_declared(m.id, registry) for m in manifests]
    ours = tuple(m for m, mine in zip(manifests, declared, strict=True) if mine)
    return tuple(m for m, mine in zip(manifests, declared, strict=True) if not mine), ours


def is_declared(id: ResourceId, registry: Registry) -> bool:
    """True for kinds that gitopsd reads itself, served or not."""
    return (id.group, id.kind) in registry.kinds or (id.group, id.kind) in registry.unserved


def complain(parent: AppIntent, broken: Sequence[str]) -> None:
    """Raise what a parent with broken children concludes with, when all else is done. Only another revision mends them."""
    if broken:
        rest = f"; and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
        raise Misconfigured(
            f"{parent.ref}: everything else was applied, but what it declares is broken: {'; '.join(broken[:SHOWN])}{rest}. "
            f"Correct it in {parent.source}; until then it is left alone",
            reason="BrokenChild",
        )


def ref(id: ResourceId, *, namespace: str = "flux-system") -> ObjectRef:
    """The declared object of this id."""
    return ObjectRef(kind=id.kind, namespace=id.namespace or namespace, name=id.name)

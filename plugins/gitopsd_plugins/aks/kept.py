"""Configurations as Azure or a cluster hand them out: the JSON of `show`, `list` and GET, and FluxConfig objects. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitopsd.plugin.imports import Note
from gitopsd_plugins.aks.resource import Found, InputError, Resource

GROUP = "clusterconfig.azure.com"
_ENVELOPE = {
    "id", "name", "type", "systemData", "system_data", "resourceGroup", "resource_group", "etag", "properties",
    "apiVersion", "location", "additional_properties", "scope_id",
}  # fmt: skip


def is_configuration(value: Any) -> bool:
    """True for a GET body, and for what `show` prints, which has the properties at its top."""
    if not isinstance(value, Mapping):
        return False
    inner = value.get("properties") if isinstance(value.get("properties"), Mapping) else value
    return bool({"sourceKind", "source_kind", "kustomizations"} & set(inner or {}))


def read(value: Mapping[str, Any], place: str) -> Found:
    """One such body."""
    name = value.get("name")
    if not isinstance(name, str):
        raise InputError(f"{place}: the configuration has no name")
    inner = value.get("properties")
    properties = inner if isinstance(inner, Mapping) else {k: v for k, v in value.items() if k not in _ENVELOPE}
    # id: .../managedClusters/CLUSTER/providers/Microsoft.KubernetesConfiguration/fluxConfigurations/NAME
    cluster = str(value.get("id", "")).partition("/providers/Microsoft.KubernetesConfiguration")[0].rpartition("/")[2]
    return Found(resources=(Resource(name=name, properties=properties, place=place, cluster=cluster),))


def is_flux_config(value: Any) -> bool:
    """True for an object of the extension's own kind."""
    return isinstance(value, Mapping) and str(value.get("apiVersion", "")).startswith(f"{GROUP}/")


def flux_config(value: Mapping[str, Any], place: str) -> Found:
    """A FluxConfig of a cluster: the same blocks, times as Go writes them; its secrets stay in the cluster."""
    if value.get("kind") != "FluxConfig":
        return Found(notes=(Note(text=f"{place}: {value.get('kind')} holds no configuration", lost=False),))
    metadata: Mapping[str, Any] = value.get("metadata") or {}
    name, namespace = metadata.get("name"), metadata.get("namespace")
    spec = {k: v for k, v in (value.get("spec") or {}).items() if k not in _BOOKKEEPING}
    reference = (value.get("spec") or {}).get("protectedParametersSecretRef")
    notes: tuple[Note, ...] = ()
    if reference:
        secret = reference.get("name") if isinstance(reference, Mapping) else reference
        text = f"{place}: what signs in is kept in Secret/{namespace}/{secret} of the cluster and is not read"
        notes = (Note(text=text),)
    properties = {"namespace": namespace, **spec}
    return Found(resources=(Resource(name=name, properties=properties, place=place),), notes=notes)


_BOOKKEEPING = {"operationId", "correlationId", "softDelete", "protectedParametersSecretRef", "resourceId"}

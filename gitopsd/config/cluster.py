"""gitopsd's own kind `Cluster`: a name for a cluster and the one way to reach it.

The way is chosen by the only key of the spec, which is the name of a registered `ClusterAccess`; its value belongs to that
plugin and is passed on. One convention holds for all of them: a relative `path` in it (or several, with ':') is meant from
the declaring file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from gitopsd.config.documents import Written
from gitopsd.config.problems import near
from gitopsd.plugin import Place, Spec, SpecError, spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A declared cluster. `access` names the plugin's way in, `spec` is that plugin's value."""

    name: str
    access: str
    spec: Mapping[str, Any] = field(repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)
    place: Place


class ClusterMetadata(Spec, frozen=True, kw_only=True):
    """The metadata of a `Cluster` document."""

    name: str
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class ClusterDocument(Spec, frozen=True, kw_only=True):
    """A whole `Cluster` document."""

    api_version: Literal["gitopsd.io/v1alpha1"]
    kind: Literal["Cluster"]
    metadata: ClusterMetadata
    spec: dict[str, dict[str, Any] | None]
    """Exactly one key, a way to reach the cluster: `kubeconfig`, `inCluster`, `sandbox` or a plugin's."""


def read(document: Written, accesses: Collection[str]) -> Cluster:
    """The cluster that a document declares. Raises `SpecError`."""
    decoded = spec.decode(document.value, ClusterDocument)
    ways = ", ".join(sorted(accesses)) or "none is installed"
    if len(decoded.spec) != 1:
        found = " and ".join(sorted(decoded.spec)) or "none"
        raise SpecError(f"must name exactly one way to reach the cluster ({ways}), not {found}", path=("spec",))
    [(access, value)] = decoded.spec.items()
    if access not in accesses:
        raise SpecError(
            f"unknown way to reach a cluster{near(access, accesses)} (known: {ways})", path=("spec", access)
        )
    return Cluster(
        name=decoded.metadata.name,
        access=access,
        spec=_anchored(value or {}, document.place.file),
        labels=decoded.metadata.labels,
        place=document.place,
    )


def _anchored(value: Mapping[str, Any], file: str) -> Mapping[str, Any]:
    path = value.get("path")
    if not isinstance(path, str) or not path:
        return value
    folder = Path(file).absolute().parent
    parts = [part if part.startswith(("/", "~")) else str(folder / part) for part in path.split(":") if part]
    return {**value, "path": ":".join(parts)}

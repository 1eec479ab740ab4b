"""What users write in a HelmChart: every field of Flux's v1, and the one of before."""

from __future__ import annotations

from typing import Any, Literal

from gitopsd.plugin import Spec
from gitopsd.plugin.oci.verify import Verification
from gitopsd.plugin.sources.fields import Duration


class SourceRef(Spec, frozen=True, kw_only=True):
    """Where the chart is, in the same namespace."""

    kind: Literal["HelmRepository", "GitRepository", "Bucket"]
    name: str
    api_version: str = ""


class ChartSpec(Spec, frozen=True, kw_only=True):
    """The spec of a HelmChart."""

    chart: str
    source_ref: SourceRef
    interval: Duration
    version: str = "*"
    reconcile_strategy: Literal["ChartVersion", "Revision"] = "ChartVersion"
    values_files: tuple[str, ...] = ()
    values_file: str = ""
    ignore_missing_values_files: bool = False
    suspend: bool = False
    verify: Verification | None = None
    access_from: dict[str, Any] | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Fields of older Flux versions, and those that have no effect with this source."""
        repository, kind = self.source_ref.kind == "HelmRepository", self.source_ref.kind
        by_revision = self.reconcile_strategy == "Revision"
        found = {
            f"spec.version has no effect with a {kind}, whose chart says its own": self.version != "*"
            and not repository,
            "spec.reconcileStrategy has no effect with a HelmRepository": by_revision and repository,
            "spec.accessFrom has had no effect since Flux v2; remove it": self.access_from is not None,
            "spec.valuesFile is a field of older versions of Flux; write spec.valuesFiles": bool(self.values_file),
        }
        return tuple(text for text, used in found.items() if used)


class Document(Spec, frozen=True, kw_only=True):
    """A whole HelmChart document."""

    api_version: Literal[
        "source.toolkit.fluxcd.io/v1", "source.toolkit.fluxcd.io/v1beta2", "source.toolkit.fluxcd.io/v1beta1"
    ]
    kind: Literal["HelmChart"]
    metadata: dict[str, Any]
    spec: ChartSpec
    status: dict[str, Any] | None = None

"""The declared kind HelmChart: what a document means, and its status in Flux's words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gitopsd.plugin import AppIntent, Body, Declared, Outcome, ResourceId, SourceIntent, Treatment
from gitopsd.plugin.sources import status
from gitopsd_plugins.helm import chart
from gitopsd_plugins.helm.chart_spec import Document

_BUILDING = {chart.PULL, chart.BUILD, chart.VALUES, chart.DEPENDENCY, chart.REFERENCE, chart.METADATA}


class HelmChart:
    """Flux's HelmChart of `source.toolkit.fluxcd.io`."""

    group = "source.toolkit.fluxcd.io"
    kind = "HelmChart"
    versions: tuple[str, ...] = ("v1", "v1beta2", "v1beta1")
    aliases: tuple[str, ...] = ("hc", "helmchart", "helmcharts")

    def read(self, declared: Declared) -> SourceIntent:
        """Decode and check. Raises `SpecError`; unserved fields go into the intent."""
        return chart.read(declared)

    def status(self, declared: Declared, outcome: Outcome, previous: Mapping[str, Any]) -> Mapping[str, Any]:
        """The status after this outcome."""
        spec = declared.document["spec"]
        pulled = spec["sourceRef"]["kind"] == "HelmRepository"
        observed = {
            "observedChartName": spec["chart"] if pulled else None,
            "observedValuesFiles": spec.get("valuesFiles") or None,
        }
        found = status.after(outcome, previous, failed=chart.PULL, observed=observed)
        if not found.get("conditions"):
            return found
        as_is = pulled and not spec.get("valuesFiles") and not spec.get("valuesFile")
        worded = [_worded(c, spec["chart"], found, as_is=as_is) for c in found["conditions"]]
        return {**found, "conditions": [*worded, *_build_failed(found["conditions"], previous)]}

    def treatment(self, intent: AppIntent, id: ResourceId, body: Body) -> Treatment:
        """A source applies nothing."""
        return Treatment()

    def schema(self) -> Mapping[str, Any]:
        """JSON Schema of the whole document."""
        return msgspec.json.schema(Document)


def _worded(condition: Mapping[str, Any], name: str, found: Mapping[str, Any], *, as_is: bool) -> Mapping[str, Any]:
    """What is wrong with a chart stands under BuildFailed, and what went well names chart and version."""
    if condition["type"] == "SourceVerified" and condition["reason"] == chart.VERIFICATION:
        return {**condition, "reason": "VerificationError"}
    if condition["type"] == "FetchFailed" and condition["reason"] in _BUILDING:
        return {**condition, "type": "BuildFailed"}
    if condition["type"] in {"Ready", "ArtifactInStorage"} and condition["status"] == "True" and "artifact" in found:
        done, reason = ("pulled", "ChartPullSucceeded") if as_is else ("packaged", "ChartPackageSucceeded")
        return {
            **condition,
            "reason": reason,
            "message": f"{done} '{name}' chart with version '{found['artifact']['revision']}'",
        }
    return condition


def _build_failed(conditions: Sequence[Mapping[str, Any]], previous: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A chart that nobody signed who may has not been built either, as Flux says it."""
    wrong = [c for c in conditions if c["type"] == "SourceVerified" and c["reason"] == chart.VERIFICATION]
    before = next((c for c in previous.get("conditions", ()) if c["type"] == "BuildFailed"), None)
    since = {"lastTransitionTime": before["lastTransitionTime"]} if before else {}
    return [{**found, "type": "BuildFailed", "status": "True", **since} for found in wrong]

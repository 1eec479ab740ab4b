"""The declared kind HelmChart: what a document means, and its status in Flux's words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gitopsd.plugin import AppIntent, Artifact, Body, Declared, Outcome, ResourceId, SourceIntent, Treatment
from gitopsd.plugin.sources import status
from gitopsd_plugins.helm import chart
from gitopsd_plugins.helm.chart_spec import Document

_BUILDING = {chart.BUILD, chart.VALUES, chart.DEPENDENCY, chart.METADATA}
_WAITING = {"NotFound": chart.NO_SOURCE, "NoArtifact": chart.NO_ARTIFACT}


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
        facts = outcome.artifact.facts if outcome.artifact else {}
        observed = {
            "observedChartName": facts.get(chart.NAME),
            "observedValuesFiles": facts.get(chart.VALUES_FILES) if spec.get("ignoreMissingValuesFiles") else None,
        }
        found = status.after(outcome, previous, failed=chart.PULL, observed=observed)
        if not found.get("conditions"):
            return found
        pulled = spec["sourceRef"]["kind"] == "HelmRepository"
        as_is = pulled and not spec.get("valuesFiles") and not spec.get("valuesFile")
        summary = _summary(outcome.artifact, as_is=as_is) if outcome.artifact else ""
        worded = [_worded(c, summary, as_is=as_is) for c in found["conditions"]]
        return {**found, **_read(outcome), "conditions": [*worded, *_build_failed(found["conditions"], previous)]}

    def treatment(self, intent: AppIntent, id: ResourceId, body: Body) -> Treatment:
        """A source applies nothing."""
        return Treatment()

    def schema(self) -> Mapping[str, Any]:
        """JSON Schema of the whole document."""
        return msgspec.json.schema(Document)


def _read(outcome: Outcome) -> Mapping[str, Any]:
    """The revision of the source that was looked at last, whatever came of it."""
    return {"observedSourceArtifactRevision": str(outcome.upstream)} if outcome.upstream else {}


def _summary(artifact: Artifact, *, as_is: bool) -> str:
    done, files = "pulled" if as_is else "packaged", artifact.facts.get(chart.VALUES_FILES, ())
    merged = f" and merged values files [{' '.join(files)}]" if files else ""
    return f"{done} '{artifact.facts.get(chart.NAME)}' chart with version '{artifact.revision}'{merged}"


def _worded(condition: Mapping[str, Any], summary: str, *, as_is: bool) -> Mapping[str, Any]:
    """What is wrong with a chart stands under BuildFailed, and what went well names chart and version."""
    match condition:
        case {"type": "SourceVerified", "reason": chart.VERIFICATION}:
            return {**condition, "reason": "VerificationError"}
        case {"type": "FetchFailed", "reason": reason} if reason in _BUILDING:
            return {**condition, "type": "BuildFailed"}
        case {"type": "IncludeUnavailable" | "Ready" as type, "reason": reason} if reason in _WAITING:
            failed = "FetchFailed" if type == "IncludeUnavailable" else type
            return {**condition, "type": failed, "reason": _WAITING[reason]}
        case {"type": "ArtifactOutdated"}:
            return {**condition, "reason": "NewChart"}
        case {"type": "Ready" | "ArtifactInStorage", "status": "True"} if summary:
            reason = "ChartPullSucceeded" if as_is else "ChartPackageSucceeded"
            return {**condition, "reason": reason, "message": summary}
    return condition


def _build_failed(conditions: Sequence[Mapping[str, Any]], previous: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A chart that nobody signed who may has not been built either, as Flux says it."""
    wrong = [c for c in conditions if c["type"] == "SourceVerified" and c["reason"] == chart.VERIFICATION]
    before = next((c for c in previous.get("conditions", ()) if c["type"] == "BuildFailed"), None)
    since = {"lastTransitionTime": before["lastTransitionTime"]} if before else {}
    return [{**found, "type": "BuildFailed", "status": "True", **since} for found in wrong]

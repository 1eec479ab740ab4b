"""What a HelmChart document means, which mistakes are named, and its status in Flux's words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from gitopsd.plugin import Artifact, Digest, Kind, ObjectRef, Outcome, Phase, Revision, SpecError, Step
from gitopsd.plugin.conformance.kind import KindSuite
from gitopsd_plugins.helm.chart_kind import HelmChart

AT = datetime(2026, 1, 1, tzinfo=UTC)


class TestHelmChart(KindSuite):
    kind: ClassVar[Kind] = HelmChart()
    document: ClassVar[Mapping[str, Any]] = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "HelmChart",
        "metadata": {"name": "web", "namespace": "flux-system"},
        "spec": {
            "chart": "web",
            "version": ">=1.0.0 <2",
            "sourceRef": {"kind": "HelmRepository", "name": "charts", "apiVersion": "source.toolkit.fluxcd.io/v1"},
            "interval": "10m",
            "reconcileStrategy": "Revision",
            "valuesFiles": ["values.yaml", "values-prod.yaml"],
            "ignoreMissingValuesFiles": True,
            "suspend": False,
        },
    }


def test_chart_reads_the_source_that_it_names(chart):
    intent = chart(sourceRef={"kind": "Bucket", "name": "apps"}, chart="./web/")

    assert intent.reads == (ObjectRef(kind="Bucket", namespace="flux-system", name="apps"),)
    assert intent.spec.name == "web"


def test_version_alone_does_not_outdate_what_was_built(chart):
    assert chart(version="1.x").content == chart(version="*").content
    assert chart(valuesFiles=["a.yaml"]).content != chart().content


def test_verification_is_part_of_what_is_wanted(chart):
    asking = chart(verify={"secretRef": {"name": "keys"}})

    assert asking.content != chart().content
    assert asking.spec.verify.secret == ("flux-system", "keys")
    assert "takes a signature of anybody" in chart(verify={"provider": "cosign"}).warnings[0]


def test_old_fields_are_told(chart):
    assert chart(valuesFile="a.yaml").spec.values_files == ("a.yaml",)
    assert len(chart(valuesFile="a.yaml", accessFrom={}).warnings) == 2


def test_what_has_no_effect_with_the_source_is_told(chart):
    repo = {"kind": "GitRepository", "name": "x"}

    assert "spec.version has no effect with a GitRepository" in chart(version="1.x", sourceRef=repo).warnings[0]
    assert "spec.reconcileStrategy has no effect with a HelmRep" in chart(reconcileStrategy="Revision").warnings[0]
    assert chart(version="1.x").warnings == chart(reconcileStrategy="Revision", sourceRef=repo).warnings == ()


@pytest.mark.parametrize(
    ("spec", "path", "words"),
    [
        ({"version": "newest"}, ("spec", "version"), "not a version constraint"),
        ({"chart": "../web"}, ("spec", "chart"), "cannot be the name of a chart"),
        ({"chart": ""}, ("spec", "chart"), "cannot be the name of a chart"),
        (
            {"chart": "../web", "sourceRef": {"kind": "GitRepository", "name": "x"}},
            ("spec", "chart"),
            "leaves the tree",
        ),
        ({"valuesFiles": ["a", "../../b"]}, ("spec", "valuesFiles", 1), "leaves the tree"),
        ({"sourceRef": {"kind": "OCIRepository", "name": "x"}}, ("spec", "sourceRef", "kind"), "use Bucket"),
        (
            {"verify": {"secretRef": {"name": "x"}}, "chart": "web", "sourceRef": {"kind": "Bucket", "name": "x"}},
            ("spec", "verify"),
            "is only supported when spec.sourceRef.kind is 'HelmRepository'",
        ),
        ({"verify": {"provider": "notation"}}, ("spec", "verify", "secretRef"), "notation needs a Secret"),
        (
            {"verify": {"trustedRootSecretRef": {"name": "x"}}},
            ("spec", "verify", "trustedRootSecretRef"),
            "unknown field",
        ),
        ({"reconcileStrategy": "Never"}, ("spec", "reconcileStrategy"), "use ChartVersion, Revision"),
    ],
)
def test_mistake_is_named_with_its_place(chart, spec, path, words):
    with pytest.raises(SpecError) as caught:
        chart(**spec)

    assert caught.value.path == path
    assert words in str(caught.value)


def after(document, spec, previous=None, merged=(), **fields):
    found = document("HelmChart", {"chart": "web", "sourceRef": {"kind": "HelmRepository", "name": "c"}, **spec})
    artifact = Artifact(
        source=found.ref,
        revision=Revision(digest="1.0.0"),
        tree=Digest("sha256:t"),
        size=7,
        files=1,
        stored=AT,
        spec=Digest("c"),
        facts={"name": "web", "valuesFiles": tuple(merged)},
    )
    given = {"phase": Phase.READY, "artifact": artifact, **fields}
    outcome = Outcome(ref=found.ref, generation=2, started=AT, finished=AT, **given)
    return HelmChart().status(found, outcome, previous or {})


@pytest.mark.parametrize(
    ("spec", "merged", "reason", "message"),
    [
        ({}, (), "ChartPullSucceeded", "pulled 'web' chart with version '1.0.0'"),
        (
            {"valuesFiles": ["a", "b"]},
            ("a", "b"),
            "ChartPackageSucceeded",
            "packaged 'web' chart with version '1.0.0' and merged values files [a b]",
        ),
        (
            {"chart": "./charts/app", "sourceRef": {"kind": "GitRepository", "name": "c"}},
            (),
            "ChartPackageSucceeded",
            "packaged 'web' chart with version '1.0.0'",
        ),
    ],
)
def test_ready_is_worded_as_flux_does(document, spec, merged, reason, message):
    status = after(document, spec, merged=merged)

    assert {(c["type"], c["reason"], c["message"]) for c in status["conditions"]} == {
        ("Ready", reason, message),
        ("ArtifactInStorage", reason, message),
    }
    assert status["artifact"]["revision"] == "1.0.0"


@pytest.mark.parametrize(
    ("reason", "type"),
    [
        ("ValuesFilesError", "BuildFailed"),
        ("DependencyBuildError", "BuildFailed"),
        ("ChartPackageError", "BuildFailed"),
        ("MetadataPatchError", "BuildFailed"),
        ("ChartPullError", "FetchFailed"),
        ("InvalidChartReference", "FetchFailed"),
    ],
)
def test_what_is_wrong_with_a_chart_stands_where_flux_has_it(document, reason, type):
    status = after(document, {}, phase=Phase.RETRYING, step=Step.FETCH, reason=reason, message="no")

    found = {c["type"]: c["reason"] for c in status["conditions"]}
    assert found.pop("Ready") == found.pop(type) == reason
    assert set(found) == {"Reconciling", "ArtifactInStorage"}


@pytest.mark.parametrize(
    ("reason", "said"), [("NotFound", "SourceUnavailable"), ("NoArtifact", "NoSourceArtifact")], ids=["none", "empty"]
)
def test_source_that_gives_nothing_is_called_as_in_flux(document, reason, said):
    status = after(document, {}, phase=Phase.WAITING, step=Step.REQUIRE, artifact=None, reason=reason, message="no")

    found = {c["type"]: c["reason"] for c in status["conditions"]}
    assert found == {"Reconciling": "ProgressingWithRetry", "Ready": said, "FetchFailed": said}


def test_newer_chart_that_is_not_stored_makes_the_artifact_outdated(document):
    newer = {"step": Step.FETCH, "attempted": Revision(digest="2.0.0"), "message": "no"}
    status = after(document, {}, phase=Phase.RETRYING, **newer)

    assert {c["type"]: c["reason"] for c in status["conditions"]}["ArtifactOutdated"] == "NewChart"


def test_status_tells_what_the_chart_was_made_of(document):
    upstream = Revision(name="main", digest="sha1:" + "a" * 40)
    spec = {"chart": "./charts/app", "valuesFiles": ["a", "b"], "ignoreMissingValuesFiles": True}

    status = after(document, spec, merged=["b"], upstream=upstream)

    assert status["observedChartName"] == "web"
    assert status["observedValuesFiles"] == ("b",)
    assert status["observedSourceArtifactRevision"] == str(upstream)


def test_values_files_are_told_where_some_may_be_missing_as_in_flux(document):
    assert "observedValuesFiles" not in after(document, {"valuesFiles": ["a"]}, merged=["a"])


def test_revision_of_the_source_is_told_of_a_build_that_fails_too(document):
    failed = {"phase": Phase.RETRYING, "step": Step.FETCH, "reason": "ChartPackageError", "message": "no"}

    assert after(document, {}, upstream=Revision(digest="sha256:1"), **failed)["observedSourceArtifactRevision"]


@pytest.mark.parametrize(
    ("reason", "types"),
    [("ChartVerificationError", {"SourceVerified", "BuildFailed"}), ("VerificationError", {"SourceVerified"})],
    ids=["by nobody who may", "keys that cannot be used"],
)
def test_chart_that_is_not_verified_says_so_as_flux_does(document, reason, types):
    status = after(document, {}, phase=Phase.STALLED, step=Step.VERIFY, reason=reason, message="no")

    found = {c["type"]: (c["status"], c["reason"], c["message"]) for c in status["conditions"]}
    assert found["SourceVerified"] == ("False", "VerificationError", "no")
    assert found["Ready"] == ("False", reason, "no")
    assert found.get("BuildFailed") == (("True", reason, "no") if "BuildFailed" in types else None)
    assert "FetchFailed" not in found


def test_failed_verification_keeps_the_time_since_when(document):
    failed = {"phase": Phase.STALLED, "step": Step.VERIFY, "reason": "ChartVerificationError", "message": "no"}
    first = after(document, {}, **failed)
    [before] = [c for c in first["conditions"] if c["type"] == "BuildFailed"]
    before["lastTransitionTime"] = "2020-01-01T00:00:00Z"

    [since] = [c for c in after(document, {}, first, **failed)["conditions"] if c["type"] == "BuildFailed"]

    assert since["lastTransitionTime"] == "2020-01-01T00:00:00Z"

"""What an OCIRepository document means, and what its status says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gitopsd.plugin import Artifact, Digest, Outcome, Phase, Revision, SpecError, Step
from gitopsd_plugins.oci.kind import OCIRepository
from gitopsd_plugins.oci.repository import Wanted

DIGEST = "sha256:" + "a" * 64
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_defaults_are_those_of_flux(read):
    intent = read()

    assert intent.spec.wanted == Wanted(tag="latest")
    assert (intent.spec.copy, intent.spec.layer, intent.spec.insecure) == (False, "", False)
    assert (intent.interval, intent.timeout) == (timedelta(minutes=1), timedelta(minutes=1))
    assert (intent.suspended, intent.unsupported, intent.warnings) == (False, (), ())


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"url": "https://ghcr.io/app"}, "url", "does not begin with oci://"),
        ({"url": "oci://ghcr.io/app:v1"}, "url", "has a tag or a digest; write it into spec.ref"),
        ({"url": f"oci://ghcr.io/app@{DIGEST}"}, "url", "has a tag or a digest"),
        ({"url": "oci://registry/app"}, "url", "give the host a domain or a port"),
        ({"ref": {"digest": "sha256:x"}}, "ref", "is no digest"),
        ({"ref": {"tag": "a/b"}}, "ref", "is no tag"),
        ({"ref": {"semver": "one"}}, "ref", "is not a version constraint"),
        ({"ref": {"semver": "1.x", "semverFilter": "("}}, "ref", "is no regular expression"),
        ({"ref": {"branch": "main"}}, "ref", "unknown field 'branch'"),
        ({"layerSelector": {"operation": "move"}}, "layerSelector", "move"),
        ({"timeout": "1h"}, "timeout", "no hours"),
        ({"interval": "0s"}, "interval", "more than zero"),
    ],
)
def test_what_cannot_be_is_refused_at_its_place(read, spec, field, message):
    with pytest.raises(SpecError, match=message) as caught:
        read(spec)

    assert caught.value.path[:2] == ("spec", field)


NOBODY = {"matchOIDCIdentity": [{"issuer": "a", "subject": "b"}]}


@pytest.mark.parametrize(
    ("verify", "told"),
    [
        ({"secretRef": {"name": "keys"}}, []),
        (NOBODY, []),
        ({}, ["takes a signature of anybody"]),
        ({"secretRef": {"name": "keys"}, **NOBODY}, ["matchOIDCIdentity has no effect beside spec.verify.secretRef"]),
        (
            {"provider": "notation", "secretRef": {"name": "a"}, "trustedRootSecretRef": {"name": "b"}},
            ["trustedRootSecretRef has no effect with provider notation"],
        ),
    ],
)
def test_what_proves_less_than_it_seems_to_is_told(read, verify, told):
    warnings = read(verify=verify).warnings

    assert len(warnings) == len(told)
    assert all(words in warning for words, warning in zip(told, warnings, strict=True))


def test_notation_needs_a_secret(read):
    with pytest.raises(SpecError, match=r"notation needs a Secret with trustpolicy\.json") as caught:
        read(verify={"provider": "notation"})

    assert caught.value.path == ("spec", "verify", "secretRef")


def test_filter_without_a_constraint_is_warned_of(read):
    assert read(ref={"semverFilter": "x"}).warnings == ("spec.ref.semverFilter has no effect without spec.ref.semver",)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"ref": {"digest": DIGEST, "tag": "v1"}}, "spec.ref.tag has no effect beside spec.ref.digest"),
        ({"ref": {"semver": "1.x", "tag": "v1"}}, "spec.ref.tag has no effect beside spec.ref.semver"),
        (
            {"ignore": "*.md", "layerSelector": {"operation": "copy"}},
            "spec.ignore has no effect with spec.layerSelector",
        ),
    ],
)
def test_what_has_no_effect_is_told(read, spec, told):
    [warning] = read(spec).warnings

    assert told in warning


@pytest.mark.parametrize(
    "spec",
    [
        {"ignore": "*.txt"},
        {"layerSelector": {"mediaType": "text/plain"}},
        {"layerSelector": {"operation": "copy"}},
        {"verify": {"secretRef": {"name": "keys"}}},
        {"verify": NOBODY},
        {"verify": {**NOBODY, "trustedRootSecretRef": {"name": "root"}}},
    ],
)
def test_what_decides_the_content_beside_the_revision_asks_for_a_new_fetch(read, spec):
    assert read(spec).content != read().content


def test_what_only_decides_the_revision_asks_for_none(read):
    assert read(ref={"tag": "v1"}, secretRef={"name": "a"}, insecure=True).content == read().content


def test_status_holds_what_flux_says_of_an_artifact(document):
    declared = document({"ignore": "*.txt", "layerSelector": {"operation": "copy"}})
    artifact = Artifact(
        source=declared.ref,
        revision=Revision(digest=DIGEST, name="v1"),
        tree=Digest("sha256:" + "b" * 64),
        size=10,
        files=2,
        stored=AT,
        spec=Digest("sha256:0"),
        metadata={"org.opencontainers.image.revision": "main@sha1:abc"},
    )
    outcome = Outcome(
        ref=declared.ref,
        phase=Phase.READY,
        generation=3,
        message=f"stored artifact for revision 'v1@{DIGEST}'",
        started=AT,
        finished=AT,
        artifact=artifact,
    )

    status = OCIRepository().status(declared, outcome, {})

    assert status["artifact"] == {
        "digest": artifact.tree,
        "lastUpdateTime": "2026-01-02T03:04:05Z",
        "metadata": {"org.opencontainers.image.revision": "main@sha1:abc"},
        "path": f"ocirepository/flux-system/app/{'a' * 64}.tar.gz",
        "revision": f"v1@{DIGEST}",
        "size": 10,
        "url": f"store:///ocirepository/flux-system/app/{'a' * 64}.tar.gz",
    }
    assert (status["observedIgnore"], status["observedLayerSelector"]) == ("*.txt", {"operation": "copy"})
    assert [(c["type"], c["status"]) for c in status["conditions"]] == [
        ("Ready", "True"),
        ("ArtifactInStorage", "True"),
    ]

    failed = replace(outcome, phase=Phase.RETRYING, step=Step.FETCH, artifact=None, message="no", reason="")
    later = OCIRepository().status(declared, failed, status)
    assert later["artifact"] == status["artifact"]
    assert [c["reason"] for c in later["conditions"] if c["type"] == "FetchFailed"] == ["OCIArtifactPullFailed"]

"""What a GitRepository document means, and its status in Flux's words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from gitopsd.plugin import (
    Artifact,
    Digest,
    Misconfigured,
    Outcome,
    Phase,
    Revision,
    SpecError,
    Step,
    Treatment,
)
from gitopsd_plugins.git.kind import GitRepository

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MAIN = Revision(name="main", digest="sha1:" + "a" * 40)


@pytest.mark.parametrize("version", ["v1", "v1beta2", "v1beta1"])
def test_all_versions_are_read_alike(document, version):
    found = document({"timeout": "90s"})
    text = {**found.document, "apiVersion": f"source.toolkit.fluxcd.io/{version}"}

    intent = GitRepository().read(replace(found, document=text))

    assert (intent.interval, intent.timeout) == (timedelta(minutes=1), timedelta(seconds=90))
    assert not (intent.suspended)
    assert not (intent.unsupported)
    assert not (intent.warnings)


def test_defaults_are_those_of_flux(read):
    intent = read({})

    assert intent.timeout == timedelta(seconds=60)
    assert intent.spec.wanted.prefixes == ("refs/heads/master",)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("include", []),
        ("recurseSubmodules", False),
        ("sparseCheckout", []),
        ("provider", "generic"),
        ("suspend", False),
    ],
)
def test_defaults_written_out_are_fine(read, field, value):
    assert read({field: value}).unsupported == ()


@pytest.mark.parametrize(
    ("field", "value"), [("gitImplementation", "libgit2"), ("accessFrom", {"namespaceSelectors": []})]
)
def test_legacy_fields_are_accepted_with_a_warning(read, field, value):
    intent = read({field: value})

    assert intent.unsupported == ()
    assert [warning.split()[0] for warning in intent.warnings] == [f"spec.{field}"]


@pytest.mark.parametrize(
    ("spec", "path", "words"),
    [
        ({"url": "git@github.com:team/app.git"}, ("spec", "url"), "ssh://git@github.com/team/app.git"),
        ({"url": "github.com:team/app"}, ("spec", "url"), "ssh://git@github.com/team/app"),
        ({"url": "ftp://example.org/x"}, ("spec", "url"), "must begin with https://"),
        ({"url": "https:///x"}, ("spec", "url"), "name a host"),
        ({"url": "https://example.org/x?y=1"}, ("spec", "url"), "no ?"),
        ({"url": "https://exa mple.org/x"}, ("spec", "url"), "blanks"),
        ({"url": "https://example.org:x/"}, ("spec", "url"), "cannot be read"),
        ({"url": "file://relative/x"}, ("spec", "url"), "file:///"),
        ({"interval": "soon"}, ("spec", "interval"), "not a duration"),
        ({"interval": "0s"}, ("spec", "interval"), "more than zero"),
        ({"timeout": "1h"}, ("spec", "timeout"), "no hours"),
        ({"ref": {"branch": "a..b"}}, ("spec", "ref", "branch"), "not a name that Git allows"),
        ({"ref": {"tag": "-x"}}, ("spec", "ref", "tag"), "not a name that Git allows"),
        ({"ref": {"name": "main"}}, ("spec", "ref", "name"), "refs/heads/main"),
        ({"ref": {"commit": "abc"}}, ("spec", "ref", "commit"), "40 hex digits"),
        ({"ref": {"semver": "newest"}}, ("spec", "ref", "semver"), "not a version constraint"),
        ({"ref": {"brnch": "x"}}, ("spec", "ref", "brnch"), "did you mean 'branch'"),
        ({"secretRef": {}}, ("spec", "secretRef"), "name"),
    ],
)
def test_mistake_is_named_with_its_place(read, spec, path, words):
    with pytest.raises(SpecError) as caught:
        read(spec)

    assert caught.value.path == path
    assert words in str(caught.value)


def test_credentials_in_a_broken_url_are_masked(read):
    with pytest.raises(SpecError) as caught:
        read({"url": "https://ada:hush@:x/y"})

    assert "hush" not in str(caught.value)
    assert caught.value.reason == "URLInvalid"


def test_relative_folder_stands_beside_its_file(read):
    assert read({"url": "./app"}, file="/srv/flux/a/x.yaml").spec.address.path == "/srv/flux/a/app"
    assert read({"url": "../app"}, file="/srv/flux/a/x.yaml").spec.address.url == "file:///srv/flux/app"


def test_folder_is_refused_for_children(read):
    with pytest.raises(Misconfigured, match="only in declared files"):
        read({"url": "./app"}, parent=read({}).ref)


def test_content_depends_on_the_rules_and_not_on_the_place(read):
    assert read({"url": "https://a.example/x"}).content == read({"ref": {"tag": "v1"}, "interval": "9m"}).content
    assert read({"ignore": "*.md"}).content != read({}).content


def test_source_applies_nothing():
    nothing = SimpleNamespace()
    assert GitRepository().treatment(nothing, nothing, {}) == Treatment()


def test_schema_describes_the_whole_document():
    schema = GitRepository().schema()

    properties = schema["$defs"]["RepositorySpec"]["properties"]
    assert {"url", "secretRef", "sparseCheckout", "recurseSubmodules"} <= set(properties)
    assert "pattern" in properties["interval"]


# Status


@pytest.fixture
def artifact(read):
    return Artifact(
        source=read({}).ref,
        revision=MAIN,
        tree=Digest("sha256:t"),
        size=7,
        files=1,
        stored=START,
        spec=Digest("sha256:c"),
    )


@pytest.fixture
def after(document):
    """The status after an outcome at a minute, given the one before."""

    def status(previous=None, *, minute=0, spec=None, **fields):
        at = START + timedelta(minutes=minute)
        ref = document({}).ref
        outcome = Outcome(
            **{"ref": ref, "generation": 2, "started": at, "finished": at, "phase": Phase.READY, **fields}
        )
        return GitRepository().status(document(spec or {}), outcome, previous or {})

    return status


def _conditions(status):
    return {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]}


def test_ready_is_worded_as_flux_does(after, artifact):
    status = after(artifact=artifact, token="now", spec={"ignore": "*.md"})

    message = f"stored artifact for revision '{MAIN}'"
    assert status == {
        "observedGeneration": 2,
        "conditions": [
            {
                "type": name,
                "status": "True",
                "observedGeneration": 2,
                "lastTransitionTime": "2026-01-02T03:04:05Z",
                "reason": "Succeeded",
                "message": message,
            }
            for name in ("Ready", "ArtifactInStorage")
        ],
        "artifact": {
            "digest": "sha256:t",
            "lastUpdateTime": "2026-01-02T03:04:05Z",
            "path": f"gitrepository/flux-system/app/{'a' * 40}.tar.gz",
            "revision": str(MAIN),
            "size": 7,
            "url": f"store:///gitrepository/flux-system/app/{'a' * 40}.tar.gz",
        },
        "observedIgnore": "*.md",
        "lastHandledReconcileAt": "now",
    }


def test_what_was_asked_for_is_repeated_once_it_was_brought(after, artifact):
    part = replace(artifact, source=replace(artifact.source, name="part"), revision=Revision(digest="sha1:" + "c" * 40))
    asked = {
        "include": [{"repository": {"name": "part"}, "fromPath": "a", "toPath": "b"}],
        "recurseSubmodules": True,
        "sparseCheckout": ["apps"],
        "verify": {"mode": "TagAndHEAD", "secretRef": {"name": "keys"}},
    }

    failed = after(spec=asked, phase=Phase.RETRYING, step=Step.FETCH, message="no")
    status = after(spec=asked, artifact=replace(artifact, made_of=(part,)))

    observed = {"observedInclude", "observedRecurseSubmodules", "observedSparseCheckout", "sourceVerificationMode"}
    assert not observed & failed.keys()
    assert status["observedInclude"] == asked["include"]
    assert (status["observedRecurseSubmodules"], status["observedSparseCheckout"]) == (True, ["apps"])
    assert status["sourceVerificationMode"] == "TagAndHEAD"
    assert [part["revision"] for part in status["includedArtifacts"]] == ["sha1:" + "c" * 40]


def test_failed_fetch_keeps_the_artifact_and_says_why(after, artifact):
    before = after(artifact=artifact)

    status = after(
        before, minute=1, phase=Phase.RETRYING, step=Step.RESOLVE, reason="AuthenticationFailed", message="no"
    )

    assert _conditions(status) == {
        "Reconciling": ("True", "ProgressingWithRetry"),
        "Ready": ("False", "AuthenticationFailed"),
        "FetchFailed": ("True", "AuthenticationFailed"),
        "ArtifactInStorage": ("True", "Succeeded"),
    }
    assert status["artifact"] == before["artifact"]


def test_first_failure_has_observed_no_generation(after):
    status = after(phase=Phase.RETRYING, step=Step.FETCH, message="no")

    assert status["observedGeneration"] == -1
    assert _conditions(status)["FetchFailed"] == ("True", "GitOperationFailed")


def test_new_revision_that_is_not_stored_makes_the_artifact_outdated(after, artifact):
    newer = Revision(name="main", digest="sha1:" + "b" * 40)

    status = after(phase=Phase.RETRYING, step=Step.FETCH, message="no", artifact=artifact, attempted=newer)

    assert _conditions(status)["ArtifactOutdated"] == ("True", "NewRevision")


def test_store_that_fails_is_no_failed_fetch(after):
    assert "StorageOperationFailed" in _conditions(after(phase=Phase.RETRYING, step=Step.PUT, message="disk full"))


def test_include_that_cannot_be_copied_is_no_failed_fetch_as_in_flux(after):
    status = after(phase=Phase.RETRYING, step=Step.FETCH, reason="CopyFailure", message="a file is in the way")

    assert _conditions(status)["StorageOperationFailed"] == ("True", "CopyFailure")
    assert "FetchFailed" not in _conditions(status)


def test_object_that_waits_for_another_says_so(after):
    status = after(phase=Phase.WAITING, step=Step.REQUIRE, message="Kustomization/a/b is not ready")

    assert _conditions(status)["Ready"] == ("False", "DependencyNotReady")


def test_stalled_object_is_observed_and_not_reconciling(after):
    status = after(phase=Phase.STALLED, step=Step.ACCEPT, reason="FeatureNotSupported", message="spec.verify")

    assert _conditions(status) == {
        "Stalled": ("True", "FeatureNotSupported"),
        "Ready": ("False", "FeatureNotSupported"),
    }
    assert status["observedGeneration"] == 2


@pytest.mark.parametrize(
    ("ref", "told"),
    [
        ({"commit": "a" * 40, "branch": "main"}, []),
        ({"commit": "a" * 40, "tag": "v1"}, ["spec.ref.tag has no effect beside spec.ref.commit"]),
        ({"name": "refs/heads/x", "branch": "main"}, ["spec.ref.branch has no effect beside spec.ref.name"]),
        (
            {"tag": "v1", "semver": "1.x", "branch": "main"},
            ["spec.ref.semver has no effect beside spec.ref.tag", "spec.ref.branch has no effect beside spec.ref.tag"],
        ),
    ],
)
def test_ref_that_another_one_comes_before_is_told(read, ref, told):
    assert list(read({"ref": ref}).warnings) == told


VERIFY = {"verify": {"secretRef": {"name": "keys"}}}


def test_verified_commit_is_said_with_its_key(after, artifact):
    status = after(artifact=replace(artifact, verified="verified signature of\n\t- commit"), spec=VERIFY)

    assert _conditions(status)["SourceVerified"] == ("True", "Succeeded")
    assert status["sourceVerificationMode"] == "HEAD"


def test_signature_that_fails_says_so_while_the_artifact_stays(after, artifact):
    verified = replace(artifact, verified="verified signature of\n\t- commit")
    failed = {"phase": Phase.STALLED, "step": Step.VERIFY, "reason": "InvalidCommitSignature", "message": "no"}
    newer = Revision(name="main", digest="sha1:" + "b" * 40)

    status = after(after(artifact=verified), minute=1, artifact=verified, attempted=newer, spec=VERIFY, **failed)

    assert _conditions(status) == {
        "Stalled": ("True", "InvalidCommitSignature"),
        "Ready": ("False", "InvalidCommitSignature"),
        "SourceVerified": ("False", "InvalidCommitSignature"),
        "ArtifactOutdated": ("True", "NewRevision"),
        "ArtifactInStorage": ("True", "Succeeded"),
    }


def test_missing_keys_are_a_failed_verification_and_no_failed_fetch(after):
    status = after(phase=Phase.WAITING, step=Step.VERIFY, reason="VerificationError", message="no")

    assert _conditions(status)["SourceVerified"] == ("False", "VerificationError")
    assert "FetchFailed" not in _conditions(status)


def test_running_attempt_is_unknown(after, artifact):
    status = after(after(artifact=artifact), phase=Phase.PROGRESSING)

    assert _conditions(status)["Ready"] == ("Unknown", "Progressing")
    assert _conditions(status)["ArtifactInStorage"] == ("True", "Succeeded")


def test_time_of_transition_moves_with_the_status_only(after, artifact):
    def since(status):
        return next(c["lastTransitionTime"] for c in status["conditions"] if c["type"] == "Ready")

    first = after(phase=Phase.RETRYING, step=Step.RESOLVE, message="a")
    second = after(first, minute=1, phase=Phase.RETRYING, step=Step.RESOLVE, message="b")
    third = after(second, minute=2, artifact=artifact)

    assert since(first) == since(second) == "2026-01-02T03:04:05Z"
    assert since(third) == "2026-01-02T03:06:05Z"


def test_suspended_object_keeps_its_status(after, artifact):
    before = after(artifact=artifact)

    assert after(before, minute=1, phase=Phase.SUSPENDED, token="x") == before
    assert after(phase=Phase.SUSPENDED) == {"observedGeneration": -1}

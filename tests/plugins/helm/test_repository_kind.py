"""What a HelmRepository document means, which mistakes are named, and its status."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from gitopsd.plugin import Kind, Outcome, Phase, SpecError
from gitopsd.plugin.conformance.kind import KindSuite
from gitopsd_plugins.helm.repository import Repository
from gitopsd_plugins.helm.repository_kind import HelmRepository


class TestHelmRepository(KindSuite):
    kind: ClassVar[Kind] = HelmRepository()
    document: ClassVar[Mapping[str, Any]] = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "HelmRepository",
        "metadata": {"name": "charts", "namespace": "flux-system"},
        "spec": {
            "url": "https://charts.example.org/stable",
            "type": "default",
            "interval": "10m",
            "timeout": "30s",
            "secretRef": {"name": "login"},
            "certSecretRef": {"name": "ca"},
            "passCredentials": True,
            "suspend": False,
        },
    }


class TestOciRepository(KindSuite):
    kind: ClassVar[Kind] = HelmRepository()
    document: ClassVar[Mapping[str, Any]] = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "HelmRepository",
        "metadata": {"name": "charts", "namespace": "flux-system"},
        "spec": {"url": "oci://ghcr.io/example/charts", "type": "oci", "insecure": True, "provider": "generic"},
    }


def test_interval_is_a_minute_unless_it_is_said(repository):
    intent = repository(url="https://charts.example.org/")

    assert intent.spec == Repository(url="https://charts.example.org")
    assert intent.spec.index == "https://charts.example.org/index.yaml"
    assert not intent.bare


def test_registry_has_no_content_of_its_own(repository):
    one, other = (repository(url=f"oci://ghcr.io/{name}", type="oci") for name in ("one", "other"))

    assert one.bare
    assert one.content != other.content


def test_ready_registry_has_a_status_without_an_artifact(document):
    found = document("HelmRepository", {"url": "oci://ghcr.io/x", "type": "oci"})
    at = datetime(2026, 1, 1, tzinfo=UTC)
    outcome = Outcome(ref=found.ref, phase=Phase.READY, generation=2, message="ready", started=at, finished=at)

    status = HelmRepository().status(found, outcome, {"artifact": {"revision": "sha256:0"}})

    assert "artifact" not in status
    assert [(c["type"], c["status"], c["reason"]) for c in status["conditions"]] == [("Ready", "True", "Succeeded")]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"url": "oci://ghcr.io/x"}, "must begin with http:// or https:// and name a host; set spec.type to oci"),
        ({"url": "https://x", "type": "oci"}, "must begin with oci://"),
        ({"url": "ftp://x"}, "must begin with http://"),
        ({"url": "https:///x"}, "name a host"),
        ({"url": "https://ada:hush@x"}, "put them into spec.secretRef"),
        ({"url": "https://x?a=b"}, "no ? and no #"),
        ({"url": "https://x y"}, "blanks"),
        ({"url": "https://x:y"}, "cannot be read"),
    ],
)
def test_url_that_cannot_be_used_is_named(repository, spec, words):
    with pytest.raises(SpecError) as caught:
        repository(**spec)

    assert caught.value.path == ("spec", "url")
    assert words in str(caught.value)
    assert "hush" not in str(caught.value)


def test_cloud_is_for_registries_and_what_has_no_effect_is_told(repository):
    assert repository(url="oci://x/y", type="oci", provider="aws").spec.provider == "aws"
    plain = repository(provider="aws", insecure=True, accessFrom={})

    assert plain.spec.provider == ""
    assert len(plain.warnings) == 3
    assert repository(url="oci://x/y", type="oci", passCredentials=True).warnings == (
        "spec.passCredentials has no effect with type: oci",
    )

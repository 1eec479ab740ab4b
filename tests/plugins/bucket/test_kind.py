"""What a Bucket document means, and which mistakes are named."""

from __future__ import annotations

import pytest

from gitopsd.plugin import Phase, SpecError
from gitopsd_plugins.bucket.kind import Bucket
from gitopsd_plugins.bucket.place import Place


def test_defaults_are_those_of_flux(read):
    intent = read({})

    assert intent.timeout.total_seconds() == 60
    assert intent.spec == Place(provider="generic", url="https://minio.example.org", bucket="apps")
    assert not intent.unsupported


@pytest.mark.parametrize(
    ("endpoint", "insecure", "url"),
    [
        ("minio.example.org:9000", False, "https://minio.example.org:9000"),
        ("minio.example.org:9000", True, "http://minio.example.org:9000"),
        ("https://account.blob.core.windows.net/", False, "https://account.blob.core.windows.net"),
        ("https://minio.example.org", True, "https://minio.example.org"),
        ("[::1]:9000", False, "https://[::1]:9000"),
    ],
)
def test_endpoint_is_a_host_or_an_address(read, endpoint, insecure, url):
    assert read({"endpoint": endpoint, "insecure": insecure}).spec.url == url


@pytest.mark.parametrize(
    ("spec", "path", "words"),
    [
        ({"endpoint": "ftp://x"}, ("spec", "endpoint"), "HOST:PORT"),
        ({"endpoint": "user:pass@host"}, ("spec", "endpoint"), "HOST:PORT"),
        ({"endpoint": "http://host"}, ("spec", "endpoint"), "spec.insecure"),
        ({"endpoint": "host:port"}, ("spec", "endpoint"), "cannot be read"),
        ({"bucketName": "a/b"}, ("spec", "bucketName"), "cannot be the name"),
        ({"prefix": "../x"}, ("spec", "prefix"), "beginning of an object's name"),
        ({"provider": "swift"}, ("spec", "provider"), "use aws, azure, gcp, generic"),
        ({"provider": "gcp", "certSecretRef": {"name": "x"}}, ("spec", "certSecretRef"), "generic only"),
        ({"serviceAccountName": "x"}, ("spec", "serviceAccountName"), "not for the provider generic"),
        (
            {"provider": "aws", "serviceAccountName": "x", "secretRef": {"name": "x"}},
            ("spec", "serviceAccountName"),
            "beside secretRef",
        ),
        ({"timeout": "1h"}, ("spec", "timeout"), "no hours"),
    ],
)
def test_mistake_is_named_with_its_place(read, spec, path, words):
    with pytest.raises(SpecError) as caught:
        read(spec)

    assert caught.value.path == path
    assert words in str(caught.value)


def test_region_of_a_bucket_that_has_none_is_told(read):
    assert read({"region": "eu"}).warnings == ()
    assert read({"provider": "gcp", "region": "eu"}).warnings == ("spec.region has no effect with provider gcp",)


def test_content_depends_on_the_bucket_and_not_on_the_rules(read):
    assert read({"ignore": "*.md", "prefix": "a/"}).content == read({}).content
    assert read({"bucketName": "other"}).content != read({}).content


def test_status_repeats_the_rules_once_they_were_followed(document):
    from gitopsd.plugin import Outcome

    found = document({"ignore": "*.md"})
    from datetime import UTC, datetime

    at = datetime(2026, 1, 1, tzinfo=UTC)
    outcome = Outcome(ref=found.ref, phase=Phase.READY, generation=1, started=at, finished=at)

    assert Bucket().status(found, outcome, {})["observedIgnore"] == "*.md"

"""Bucket and its source keep what their roles promise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from gitopsd.plugin import Kind
from gitopsd.plugin.conformance.kind import KindSuite
from gitopsd.plugin.conformance.source import SourceSuite, Upstream
from gitopsd_plugins.bucket.kind import Bucket
from gitopsd_plugins.bucket.source import BucketSource


class TestS3(SourceSuite):
    @pytest.fixture
    def upstream(self, world, bucket) -> Upstream:
        return Upstream(
            source=BucketSource(),
            ctx=world.ctx,
            intake=world.intake,
            intent=bucket.intent(),
            lost=bucket.intent(endpoint="127.0.0.2:1"),
            publish=bucket.put,
            secrets=["hush-hush"],
        )


class TestBucket(KindSuite):
    kind: ClassVar[Kind] = Bucket()
    document: ClassVar[Mapping[str, Any]] = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "Bucket",
        "metadata": {"name": "apps", "namespace": "flux-system"},
        "spec": {
            "bucketName": "apps",
            "endpoint": "minio.example.org:9000",
            "interval": "10m",
            "timeout": "30s",
            "provider": "generic",
            "insecure": True,
            "region": "eu-west-1",
            "prefix": "clusters/",
            "secretRef": {"name": "keys"},
            "certSecretRef": {"name": "ca"},
            "proxySecretRef": {"name": "proxy"},
            "ignore": "*.md",
            "suspend": False,
        },
    }

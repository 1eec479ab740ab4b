"""Which options the way to a bucket becomes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitopsd.plugin import Http, Proxies, Rejected
from gitopsd.plugin.sources import proxy
from gitopsd_plugins.bucket import access
from gitopsd_plugins.bucket.source import BucketSource


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, {"endpoint": "https://minio.example.org", "region": "us-east-1"}),
        (
            {"provider": "aws", "endpoint": "s3.amazonaws.com"},
            {"endpoint": "https://s3.amazonaws.com", "region": "us-east-1"},
        ),
        (
            {"provider": "aws", "endpoint": "s3.amazonaws.com", "region": "eu-west-1"},
            {"endpoint": "https://s3.eu-west-1.amazonaws.com", "region": "eu-west-1"},
        ),
        ({"provider": "gcp", "endpoint": "storage.googleapis.com"}, {}),
        ({"provider": "gcp", "endpoint": "gcs.example.org"}, {"base_url": "https://gcs.example.org"}),
        (
            {"provider": "azure", "endpoint": "https://account.blob.core.windows.net"},
            {"account_name": "account"},
        ),
        (
            {"provider": "azure", "endpoint": "https://account.blob.example.org"},
            {"account_name": "account", "endpoint": "https://account.blob.example.org"},
        ),
    ],
)
def test_place_becomes_options_of_the_store(read, spec, expected):
    assert access.store(read(spec).spec) == expected


@pytest.mark.asyncio
async def test_proxy_of_the_secret_wins_over_the_environments(world, read):
    world.secrets.data["proxy"] = {"address": b"http://proxy.example.org:3128", "username": b"a", "password": b"b@c"}
    ctx = replace(world.ctx, http=Http(proxies=Proxies(https="http://environment:1")))

    intent = read({"proxySecretRef": {"name": "proxy"}})
    given, _ = await BucketSource()._order(intent, await proxy.routed(intent.spec.proxy, ctx), "")
    plain, _ = await BucketSource()._order(read({}), ctx, "")

    assert given.client["proxy_url"] == "http://a:b%40c@proxy.example.org:3128"
    assert plain.client["proxy_url"] == "http://environment:1"


@pytest.mark.asyncio
async def test_client_certificate_is_refused_by_name(world, read):
    world.secrets.data["tls"] = {"tls.crt": b"x", "tls.key": b"y"}

    with pytest.raises(Rejected, match=r"spec.certSecretRef: a client certificate \(tls.crt\) is not served"):
        await access.client(read({"certSecretRef": {"name": "tls"}}).spec, world.ctx, 10)

"""Which keys of a Secret become which options, and what is told about the wrong ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitopsd.plugin import Http, Proxies, Rejected
from gitopsd_plugins.bucket import access
from gitopsd_plugins.bucket.source import BucketSource

pytestmark = pytest.mark.asyncio
AZURE = {"provider": "azure", "endpoint": "https://account.blob.core.windows.net", "secretRef": {"name": "keys"}}


async def options(world, read, spec, **data):
    world.secrets.data["keys"] = {key: value.encode() for key, value in data.items()}
    return await access.store(read(spec).spec, world.ctx)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, {"endpoint": "https://minio.example.org", "region": "us-east-1", "skip_signature": True}),
        ({"provider": "aws", "endpoint": "s3.amazonaws.com"}, {"endpoint": "https://s3.amazonaws.com"}),
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
async def test_place_becomes_options_of_the_store(world, read, spec, expected):
    found, credentials = await options(world, read, spec)

    assert {key: found[key] for key in expected} == expected
    assert not credentials
    assert ("skip_signature" in found) is (spec.get("provider", "generic") == "generic")


@pytest.mark.parametrize(
    ("spec", "data", "expected"),
    [
        ({}, {"accesskey": "a", "secretkey": "b\n"}, {"access_key_id": "a", "secret_access_key": "b"}),
        ({"provider": "gcp"}, {"serviceaccount": "{}"}, {"service_account_key": "{}"}),
        (AZURE, {"accountKey": "k"}, {"account_key": "k"}),
        (AZURE, {"sasKey": "?sv=1&sig=x"}, {"sas_key": "sv=1&sig=x"}),
        (AZURE, {"clientId": "c"}, {"client_id": "c", "credential_type": "managed_identity"}),
        (
            AZURE,
            {"tenantId": "t", "clientId": "c", "clientSecret": "s", "authorityHost": "https://login.example.org"},
            {"tenant_id": "t", "client_id": "c", "client_secret": "s", "authority_host": "https://login.example.org"},
        ),
    ],
)
async def test_keys_of_flux_become_credentials(world, read, spec, data, expected):
    found, credentials = await options(world, read, {"secretRef": {"name": "keys"}, **spec}, **data)

    assert {key: found[key] for key in expected} == expected
    assert credentials


@pytest.mark.parametrize(
    ("spec", "data", "words"),
    [
        ({}, {"accesskey": "a"}, "needs the keys accesskey and secretkey"),
        ({"provider": "gcp"}, {"key": "a"}, "needs the key serviceaccount"),
        (AZURE, {"key": "a"}, "needs accountKey, sasKey, clientId"),
        (AZURE, {"tenantId": "t", "clientId": "c", "clientCertificate": "x"}, "clientCertificate is not served"),
    ],
)
async def test_secret_without_what_is_needed_is_named(world, read, spec, data, words):
    with pytest.raises(Rejected, match=r"spec.secretRef: the secret flux-system/keys") as caught:
        await options(world, read, {"secretRef": {"name": "keys"}, **spec}, **data)

    assert words in str(caught.value)


async def test_proxy_of_the_secret_wins_over_the_environments(world, read):
    world.secrets.data["proxy"] = {"address": b"http://proxy.example.org:3128", "username": b"a", "password": b"b@c"}
    ctx = replace(world.ctx, http=Http(proxies=Proxies(https="http://environment:1")))

    given = await BucketSource()._order(read({"proxySecretRef": {"name": "proxy"}}), ctx)
    plain = await BucketSource()._order(read({}), ctx)

    assert given.client["proxy_url"] == "http://a:b%40c@proxy.example.org:3128"
    assert plain.client["proxy_url"] == "http://environment:1"


async def test_client_certificate_is_refused_by_name(world, read):
    world.secrets.data["tls"] = {"tls.crt": b"x", "tls.key": b"y"}

    with pytest.raises(Rejected, match=r"spec.certSecretRef: a client certificate \(tls.crt\) is not served"):
        await access.client(read({"certSecretRef": {"name": "tls"}}).spec, world.ctx, 10)

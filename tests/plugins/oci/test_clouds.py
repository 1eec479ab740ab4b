"""Logins that clouds lend: what is asked of whom, on loopback servers that answer as the clouds document it."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from fakes.registry import Answer, Registry, layer, serving

from gitopsd.plugin import Misconfigured, Rejected, Transient
from gitopsd_plugins.oci import aws
from gitopsd_plugins.oci.aws import Aws, Keys
from gitopsd_plugins.oci.azure import Azure
from gitopsd_plugins.oci.clouds import PROVIDERS, Clouds
from gitopsd_plugins.oci.gcp import Gcp
from gitopsd_plugins.oci.source import OciSource

ANY = r"127(\.)0\.0\.1:([0-9]+)()"
"""The registry of the test as each cloud's own."""
LAYER = layer({"a.yaml": b"a: 1\n"})


def answer(**values):
    return Answer(body=json.dumps(values).encode())


@pytest.fixture
def cloud():
    """The machine's metadata service, and the cloud's API."""
    with serving(Registry(), address="127.0.0.2") as running:
        yield running


@pytest.fixture
def lending(world, cloud):
    """A world whose clouds are on loopback."""
    metadata = f"http://{cloud.host}"
    providers = {
        "aws": Aws(metadata=metadata, hosts=ANY, api=f"http://{cloud.host}/ecr"),
        "azure": Azure(metadata=metadata, hosts=ANY, scheme="http"),
        "gcp": Gcp(metadata=metadata, hosts=ANY),
    }
    world.source = OciSource(Clouds(providers))
    return world


def amazon(cloud, password):
    cloud.rule("PUT /latest/api/token", Answer(body=b"session"))
    cloud.rule(
        "GET /latest/meta-data/iam/security-credentials/role", answer(AccessKeyId="A", SecretAccessKey="S", Token="T")
    )
    cloud.rule("GET /latest/meta-data/iam/security-credentials/$", Answer(body=b"role\n"))
    token = base64.b64encode(f"AWS:{password}".encode()).decode()
    cloud.rule("POST /ecr", answer(authorizationData=[{"authorizationToken": token, "expiresAt": 1.5}]))


def google(cloud, password):
    cloud.rule("GET /computeMetadata", answer(access_token=password, expires_in=600, token_type="Bearer"))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("provider", "name", "prepare"), [("aws", "AWS", amazon), ("gcp", "oauth2accesstoken", google)]
)
async def test_registry_takes_the_login_that_the_cloud_lends(lending, registry, cloud, read, provider, name, prepare):
    registry.login, registry.username = "basic", name
    registry.artifact(LAYER, tag="latest")
    prepare(cloud, registry.password)

    _, stored = await lending.sync(read(provider=provider))

    assert stored.files == 1
    assert registry.password.encode() in lending.concealed


@pytest.mark.asyncio
async def test_azures_registry_exchanges_the_machines_token(lending, registry, cloud, read):
    registry.login = "bearer"
    registry.artifact(LAYER, tag="latest")
    cloud.rule("GET /metadata/identity/oauth2/token", answer(access_token="of the machine", expires_in="3600"))
    registry.rule("POST /oauth2/exchange", answer(refresh_token="of the registry"))
    registry.rule("POST /token", answer(access_token=registry.token))

    _, stored = await lending.sync(read(provider="azure"))

    assert stored.files == 1
    assert "resource=https%3A%2F%2Fmanagement.azure.com%2F" in cloud.paths[0]
    assert cloud.requests[0].headers["Metadata"] == "true"


@pytest.mark.asyncio
async def test_login_is_kept_until_shortly_before_it_ends(lending, registry, cloud, read):
    registry.login, registry.username = "basic", "oauth2accesstoken"
    registry.artifact(LAYER, tag="latest")
    google(cloud, registry.password)
    intent = read(provider="gcp")

    for minutes in (0, 5, 9.5):
        now = datetime(2026, 1, 2, 3, tzinfo=UTC) + timedelta(minutes=minutes)
        await lending.source.resolve(intent, replace(lending.ctx, now=lambda now=now: now))

    assert len(cloud.requests) == 2


@pytest.mark.asyncio
async def test_login_in_a_secret_comes_first(lending, registry, cloud, read, docker_config):
    registry.login = "basic"
    registry.artifact(LAYER, tag="latest")
    lending.secrets.data["login"] = docker_config(registry.host, registry.username, registry.password)

    await lending.sync(read(provider="gcp", secretRef={"name": "login"}))

    assert cloud.requests == []


@pytest.mark.asyncio
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_no_cloud_is_asked_about_another_registry(world, registry, read, provider):
    with pytest.raises(Misconfigured, match=f"is no registry of spec.provider {provider}"):
        await world.source.resolve(read(provider=provider), world.ctx)

    assert registry.requests == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        (Answer(status=404), Rejected, "lends no login .404.; has this machine an identity"),
        (Answer(status=503), Transient, "answered 503"),
        (Answer(status=302, headers={"Location": "http://127.0.0.1/"}), Rejected, "lends no login"),
        (Answer(body=b"<html>"), Rejected, "answered with no login"),
        (Answer(body=b'{"access_token": 1}'), Rejected, "answered with no login"),
    ],
)
async def test_machine_without_an_identity_is_said(lending, cloud, read, given, kind, message):
    cloud.rule("GET /computeMetadata", given)

    with pytest.raises(kind, match=message) as caught:
        await lending.source.resolve(read(provider="gcp"), lending.ctx)

    assert caught.value.reason == "AuthenticationFailed"


@pytest.mark.asyncio
@pytest.mark.parametrize("data", [[], [{}], [{"authorizationToken": "!"}], [{"authorizationToken": "eA=="}], "x"])
async def test_answer_of_amazon_without_a_password_is_refused(lending, cloud, read, data):
    cloud.rule("POST /ecr", answer(authorizationData=data))
    amazon(cloud, "never asked for")

    with pytest.raises(Rejected, match="/ecr answered with no login"):
        await lending.source.resolve(read(provider="aws"), lending.ctx)


def test_signature_is_amazons():
    """The vector get-vanilla of Amazon's own test suite."""
    keys = Keys(access="AKIDEXAMPLE", secret="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    now = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)

    found = aws.signed(
        keys, "GET", "https://example.amazonaws.com/", {}, b"", region="us-east-1", service="service", now=now
    )

    assert found["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )


@pytest.mark.parametrize(
    ("provider", "host", "serves"),
    [
        ("aws", "123456789012.dkr.ecr.eu-west-1.amazonaws.com", True),
        ("aws", "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", True),
        ("aws", "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", True),
        ("aws", "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.org", False),
        ("azure", "team.azurecr.io", True),
        ("azure", "azurecr.io.evil.org", False),
        ("azure", "a.b.azurecr.io", False),
        ("gcp", "europe-west1-docker.pkg.dev", True),
        ("gcp", "eu.gcr.io", True),
        ("gcp", "gcr.io", True),
        ("gcp", "evil-gcr.io", False),
        ("gcp", "docker.pkg.dev.evil.org", False),
    ],
)
def test_each_cloud_knows_its_registries(provider, host, serves):
    assert PROVIDERS[provider].serves(host) is serves

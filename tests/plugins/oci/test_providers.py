"""`spec.provider` and `spec.serviceAccountName`: logins that clouds lend, and what an account pulls images with."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from aiohttp import web
from fakes import clouds
from fakes.clouds import sts
from fakes.registry import Answer, layer

from gitopsd.plugin import Misconfigured, NotReady, Rejected, ServiceAccount, hosts
from gitopsd.plugin.oci.clouds import PROVIDERS, Aws, Azure, Gcp
from gitopsd_plugins.oci.source import OciSource

pytestmark = pytest.mark.asyncio

ANY = r"127\.0\.0\.1:[0-9]+()"
"""The registry of the test as each cloud's own."""
LAYER = layer({"a.yaml": b"a: 1\n"})
START = datetime(2026, 1, 2, 3, tzinfo=UTC)
UNTIL = "2026-01-02T09:00:00Z"


@pytest.fixture
def lending(world, cloud, home):
    """A world whose clouds are on loopback."""
    providers = {
        "aws": Aws(hosts=ANY, api=f"{cloud.url}/ecr"),
        "azure": Azure(hosts=ANY, scheme="http"),
        "gcp": Gcp(hosts=ANY),
    }
    world.source = OciSource(providers)
    world.ctx = clouds.within(world.ctx, cloud, home)
    return world


def amazon(cloud, password):
    cloud.replies |= {
        "PUT /latest/api/token": "session",
        "GET /latest/meta-data/iam/security-credentials/role": {
            "AccessKeyId": "A",
            "SecretAccessKey": "S",
            "Token": "T",
            "Expiration": UNTIL,
        },
        "GET /latest/meta-data/iam/security-credentials/": "role\n",
        "POST /ecr": {"authorizationData": [{"authorizationToken": _basic(f"AWS:{password}"), "expiresAt": 1.5}]},
    }


def _basic(text):
    return base64.b64encode(text.encode()).decode()


def google(cloud, password):
    cloud.replies["GET /computeMetadata"] = {"access_token": password, "expires_in": 600, "token_type": "Bearer"}


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


async def test_amazon_is_asked_with_its_signature(lending, registry, cloud, read):
    registry.login, registry.username = "basic", "AWS"
    registry.artifact(LAYER, tag="latest")
    amazon(cloud, registry.password)

    await lending.source.resolve(read(provider="aws"), lending.ctx)

    asked = cloud.asked[-1]
    assert asked.headers["x-amz-target"] == "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"
    assert asked.headers["authorization"].startswith(
        "AWS4-HMAC-SHA256 Credential=A/20260102/us-east-1/ecr/aws4_request"
    )


def azure(cloud, registry):
    registry.login = "bearer"
    registry.artifact(LAYER, tag="latest")
    registry.rule("POST /oauth2/exchange", Answer(body=b'{"refresh_token": "of the registry"}'))
    registry.rule("POST /token", Answer(body=json.dumps({"access_token": registry.token}).encode()))


async def test_azures_registry_exchanges_the_machines_token(lending, registry, cloud, read):
    azure(cloud, registry)
    cloud.replies["GET /metadata/identity/oauth2/token"] = {"access_token": "of the machine", "expires_in": "3600"}

    _, stored = await lending.sync(read(provider="azure"))

    assert stored.files == 1
    assert "resource=https%3A%2F%2Fmanagement.azure.com" in cloud.asked[0].path


async def test_service_account_gets_a_login_of_its_own_at_azure(lending, registry, cloud, home, read):
    azure(cloud, registry)
    home.annotations["flux-system", "robot"] = {
        "azure.workload.identity/client-id": "client-1",
        "azure.workload.identity/tenant-id": "tenant-1",
    }
    cloud.replies["POST /tenant-1/oauth2/v2.0/token"] = {"access_token": "of the robot", "expires_in": 3600}

    _, stored = await lending.sync(read(provider="azure", serviceAccountName="robot"))

    assert stored.files == 1
    assert home.issued == [("flux-system/robot", ("api://AzureADTokenExchange",))]
    assert len(cloud.asked) == 1


async def test_more_objects_than_turns_get_logins_at_the_very_host_that_they_are_for(
    lending, registry, cloud, home, read
):
    azure(cloud, registry)
    cloud.replies["POST /tenant/oauth2/v2.0/token"] = lambda asked: web.json_response(
        {"access_token": f"of {asked.form['client_id']}", "expires_in": 3600}
    )
    synced = []

    async def sync(name):
        home.annotations["flux-system", name] = {
            "azure.workload.identity/client-id": name,
            "azure.workload.identity/tenant-id": "tenant",
        }
        synced.append(await lending.sync(read(provider="azure", serviceAccountName=name)))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for number in range(hosts.AT_ONCE + 1):
                tasks.start_soon(sync, f"robot-{number}")

    assert len(synced) == hosts.AT_ONCE + 1
    assert sum(path == "POST /oauth2/exchange" for path in registry.paths) == hosts.AT_ONCE + 1


async def test_service_account_gets_a_login_of_its_own_at_amazon(lending, registry, cloud, home, read):
    registry.login, registry.username = "basic", "AWS"
    registry.artifact(LAYER, tag="latest")
    amazon(cloud, registry.password)
    cloud.replies["POST /"] = sts("AssumeRoleWithWebIdentity")
    home.annotations["flux-system", "robot"] = {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/r"}

    await lending.source.resolve(read(provider="aws", serviceAccountName="robot"), lending.ctx)

    assume, login = cloud.asked
    assert assume.form["RoleSessionName"] == "robot.flux-system.us-east-1.gitopsd"
    assert "Credential=AKIA/" in login.headers["authorization"]


async def test_account_without_an_identity_is_named(lending, registry, cloud, home, read):
    home.annotations["flux-system", "robot"] = {}

    with pytest.raises(
        Rejected, match=r"OCIRepository/flux-system/app: ServiceAccount/flux-system/robot lacks the annotation"
    ):
        await lending.source.resolve(read(provider="aws", serviceAccountName="robot"), lending.ctx)

    assert registry.requests == []


async def test_login_is_kept_until_shortly_before_it_ends(lending, registry, cloud, home, read):
    registry.login, registry.username = "basic", "oauth2accesstoken"
    registry.artifact(LAYER, tag="latest")
    google(cloud, registry.password)
    intent = read(provider="gcp")

    for minutes in (0, 5, 9.5):
        home.now = START + timedelta(minutes=minutes)
        await lending.source.resolve(intent, lending.ctx)

    assert len(cloud.asked) == 2


async def test_login_that_the_registry_refuses_is_asked_for_anew(lending, registry, cloud, read):
    registry.login, registry.username = "basic", "AWS"
    registry.artifact(LAYER, tag="latest")
    amazon(cloud, "of yesterday")
    intent = read(provider="aws")

    with pytest.raises(Rejected, match=r"spec\.provider"):
        await lending.source.resolve(intent, lending.ctx)
    amazon(cloud, registry.password)

    assert (await lending.source.resolve(intent, lending.ctx)).name == "latest"


async def test_login_in_a_secret_comes_first(lending, registry, cloud, read, docker_config):
    registry.login = "basic"
    registry.artifact(LAYER, tag="latest")
    lending.secrets.data["login"] = docker_config(registry.host, registry.username, registry.password)

    await lending.sync(read(provider="gcp", secretRef={"name": "login"}))

    assert cloud.asked == []


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_no_cloud_is_asked_about_another_registry(world, registry, read, provider):
    with pytest.raises(Misconfigured, match=f"is no registry of spec.provider {provider}"):
        await world.source.resolve(read(provider=provider), world.ctx)

    assert registry.requests == []


@pytest.mark.parametrize("data", [[], [{}], [{"authorizationToken": "!"}], [{"authorizationToken": "eA=="}], "x", None])
async def test_answer_of_amazon_without_a_password_is_refused(lending, cloud, read, data):
    amazon(cloud, "never asked for")
    cloud.replies["POST /ecr"] = {"authorizationData": data}

    with pytest.raises(Rejected, match=r"Amazon's registry at .* answered with nothing that could be used") as caught:
        await lending.source.resolve(read(provider="aws"), lending.ctx)

    assert caught.value.reason == "AuthenticationFailed"


async def test_account_pulls_with_the_secrets_that_it_pulls_images_with(lending, registry, read, docker_config):
    registry.login = "basic"
    registry.artifact(LAYER, tag="latest")
    asked = []

    async def account(namespace, name, *, secrets=False):
        asked.append((namespace, name, secrets))
        other = docker_config("elsewhere.example.org", "x", "y")
        return ServiceAccount(pull_secrets=(other, docker_config(registry.host, registry.username, registry.password)))

    lending.ctx = replace(lending.ctx, account=account)
    _, stored = await lending.sync(read(serviceAccountName="robot"))

    assert stored.files == 1
    assert asked == [("flux-system", "robot", True)]
    assert registry.password.encode() in lending.concealed


async def test_secret_of_the_accounts_name_holds_its_login_without_a_cluster(
    lending, registry, home, read, docker_config
):
    registry.login = "basic"
    registry.artifact(LAYER, tag="latest")
    lending.secrets.data["robot"] = docker_config(registry.host, registry.username, registry.password)

    _, stored = await lending.sync(read(serviceAccountName="robot"))

    assert stored.files == 1
    assert home.described == []


async def test_account_that_nobody_knows_is_named(lending, registry, read):
    with pytest.raises(NotReady, match=r"there is none in cluster home; or describe it in a Secret of that name"):
        await lending.source.resolve(read(serviceAccountName="robot"), lending.ctx)

    assert registry.requests == []

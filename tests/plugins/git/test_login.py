"""Tokens of GitHub Apps and of Azure, asked for at servers on loopback."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
import pytest_asyncio
from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from fakes import clouds
from fakes.git_server import http_server

from gitopsd.plugin import Misconfigured, Rejected, SpecError, Transient
from gitopsd.plugin.cloud import Keys, sigv4
from gitopsd_plugins.git.login import codecommit
from gitopsd_plugins.git.source import GitSource

LOOPBACK = {"aws": r"http://127\.0\.0\.1:[0-9]+", "azure": r"http://127\.0\.0\.1:[0-9]+"}
"""The server of the test as each cloud's own."""
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class Api:
    """Who gives tokens; `answers` by method and path, `asked` in order with headers and form."""

    url: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        name = f"{request.method} {request.path_qs}"
        self.asked.append((name, dict(request.headers), form))
        found = next((value for key, value in self.answers.items() if name.startswith(key)), None)
        if found is None:
            return web.json_response({"message": "Not Found"}, status=404)
        return found if isinstance(found, web.Response) else web.json_response(found)


@pytest_asyncio.fixture
async def api():
    served = Api()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", served.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield served
    await runner.cleanup()


@pytest.fixture(scope="module")
def private():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def app_secret(world, api, private):
    """The Secret of a GitHub App, as `flux create secret githubapp` makes it."""
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )

    def put(**changes):
        data = {"githubAppID": b"42", "githubAppInstallationID": b"77", "githubAppPrivateKey": pem}
        data |= {"githubAppBaseURL": f"{api.url}/api/v3/".encode()} | changes
        world.secrets.data["app"] = {key: value for key, value in data.items() if value}

    put()
    return put


@pytest.fixture
def served(repo):
    repo.commit({"a": "1"})
    with http_server(repo.path) as server:
        server.behaviour.username, server.behaviour.password = "x-access-token", "ghs_first"
        yield server


def _token(value="ghs_first", **lasts):
    return {"token": value, "expires_at": (NOW + timedelta(**(lasts or {"hours": 1}))).isoformat()}


def _github(read, served):
    return read({"url": served.url, "ref": {"branch": "main"}, "provider": "github", "secretRef": {"name": "app"}})


@pytest.mark.asyncio
async def test_installation_token_opens_the_repository(world, read, api, app_secret, served, private, contents):
    api.answers["POST /api/v3/app/installations/77/access_tokens"] = _token()

    _, stored = await world.sync(_github(read, served))

    assert contents(world.store, stored.tree) == {"a": b"1"}
    assert [name for name, _, _ in api.asked] == ["POST /api/v3/app/installations/77/access_tokens"]
    head, claims, signature = api.asked[0][1]["Authorization"].removeprefix("Bearer ").split(".")
    private.public_key().verify(_raw(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
    assert json.loads(_raw(head))["alg"] == "RS256"
    said = json.loads(_raw(claims))
    assert said["iss"] == "42"
    assert said["exp"] - said["iat"] == 120


def _raw(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.asyncio
async def test_token_is_kept_until_shortly_before_its_end(world, read, api, app_secret, served):
    api.answers["POST /api/v3/app/installations/77/access_tokens"] = _token(minutes=30)
    intent = _github(read, served)
    for minute, tokens in ((0, 1), (24, 1), (26, 2)):
        world.ctx = replace(world.ctx, now=lambda minute=minute: NOW + timedelta(minutes=minute))
        await world.source.resolve(intent, world.ctx)
        assert len(api.asked) == tokens


@pytest.mark.asyncio
async def test_many_objects_at_once_ask_for_one_token(world, read, api, app_secret, served):
    api.answers["POST /api/v3/app/installations/77/access_tokens"] = _token()
    intent = _github(read, served)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(world.source.resolve, intent, world.ctx)

    assert len(api.asked) == 1


@pytest.mark.asyncio
async def test_token_that_is_refused_is_asked_for_anew(world, read, api, app_secret, served):
    api.answers["POST /api/v3/app/installations/77/access_tokens"] = _token()
    intent = _github(read, served)
    await world.source.resolve(intent, world.ctx)
    served.behaviour.password = "ghs_second"
    api.answers["POST /api/v3/app/installations/77/access_tokens"] = _token("ghs_second")

    await world.source.resolve(intent, world.ctx)

    assert len(api.asked) == 2


@pytest.mark.asyncio
async def test_new_token_uses_the_cache_of_the_old_one(world, repo, read, api, app_secret, served):
    api.answers["POST /api/v3/app/installations/77/access_tokens"] = _token()
    await world.sync(_github(read, served))
    served.behaviour.password = "ghs_second"
    api.answers["POST /api/v3/app/installations/77/access_tokens"] = _token("ghs_second")
    repo.commit({"a": "2"})

    await world.sync(_github(read, served))

    assert len(list(world.ctx.cache("git").glob("*.git"))) == 1


@pytest.mark.asyncio
async def test_installation_is_found_by_its_owner(world, read, api, app_secret, served):
    app_secret(githubAppInstallationID=b"", githubAppInstallationOwner=b"Team")
    api.answers["GET /api/v3/app/installations?per_page=100&page=1"] = [{"id": 1, "account": {"login": "other"}}]
    api.answers["GET /api/v3/app/installations?per_page=100&page=2"] = [{"id": 77, "account": {"login": "team"}}]
    api.answers["POST /api/v3/app/installations/77/access_tokens"] = _token()

    await world.sync(_github(read, served))

    assert len(api.asked) == 3


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"githubAppInstallationID": b""}, "needs githubAppInstallationID or githubAppInstallationOwner"),
        ({"githubAppInstallationOwner": b"x"}, "and not both"),
        ({"githubAppInstallationID": b"../x"}, "githubAppInstallationID is no number"),
        ({"githubAppID": b"abc"}, "needs githubAppID, a number"),
        ({"githubAppPrivateKey": b"hush-hush"}, "is no private RSA key in PEM form"),
        ({"githubAppBaseURL": b"ftp://x"}, "githubAppBaseURL is no http URL"),
        ({"githubAppInstallationID": b"", "githubAppInstallationOwner": b"nobody"}, "is not installed at 'nobody'"),
        ({"githubAppInstallationID": b"78"}, "answered 404: Not Found"),
    ],
)
async def test_what_is_wrong_with_the_app_is_said(world, read, api, app_secret, served, changes, words):
    app_secret(**changes)
    api.answers["POST /api/v3/app/installations/77/access_tokens"] = _token()
    api.answers["GET /api/v3/app/installations"] = []

    with pytest.raises(Rejected, match=words) as caught:
        await world.sync(_github(read, served))

    assert caught.value.reason == "AuthenticationFailed"
    assert "hush-hush" not in str(caught.value)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"provider": "github"}, "provider github needs the data of a GitHub App"),
        ({"secretRef": {"name": "app"}}, "is about a GitHub App; set spec.provider: github"),
        ({"provider": "github", "secretRef": {"name": "app"}, "url": "ssh://git@x/y"}, "github is for https"),
    ],
)
async def test_provider_and_secret_have_to_fit(world, read, app_secret, spec, words):
    with pytest.raises(Misconfigured, match=words) as caught:
        await world.sync(read(spec))

    assert caught.value.reason == "InvalidProviderConfiguration"


@pytest.mark.asyncio
async def test_api_that_is_down_or_busy_is_transient(world, read, api, app_secret, served):
    api.answers["POST /api"] = web.Response(status=429, headers={"Retry-After": "30"}, text="slow down")

    with pytest.raises(Transient, match="answered 429") as caught:
        await world.sync(_github(read, served))

    assert caught.value.retry_after == 30
    app_secret(githubAppBaseURL=b"http://127.0.0.1:1")
    with pytest.raises(Transient, match="cannot be reached"):
        await world.sync(_github(read, served))


# Azure


@pytest.fixture
def azure(world, read, served):
    """A repository of Azure DevOps, as this process is told who it is."""
    served.behaviour.username, served.behaviour.bearer = "", "az-token"
    world.source = GitSource(LOOPBACK)

    def intent(account="", **platform):
        world.ctx = replace(world.ctx, platform=platform)
        spec = {"url": served.url, "ref": {"branch": "main"}, "provider": "azure"}
        return read({**spec, **({"serviceAccountName": account} if account else {})})

    return intent


@pytest.mark.asyncio
async def test_workload_identity_exchanges_its_token(world, api, azure, tmp_path, contents):
    file = tmp_path / "assertion"
    file.write_text("federated\n")
    api.answers["POST /tenant-1/oauth2/v2.0/token"] = {"access_token": "az-token", "expires_in": 3600}
    platform = {"AZURE_CLIENT_ID": "client-1", "AZURE_TENANT_ID": "tenant-1", "AZURE_FEDERATED_TOKEN_FILE": str(file)}

    _, stored = await world.sync(azure(**platform, AZURE_AUTHORITY_HOST=f"{api.url}/"))

    assert contents(world.store, stored.tree) == {"a": b"1"}
    (_, _, form), *others = api.asked
    assert others == []
    assert form["client_assertion"] == "federated"
    assert form["scope"] == "499b84ac-1321-427f-aa17-267ca6975798/.default"
    assert form["client_id"] == "client-1"


@pytest.mark.asyncio
async def test_managed_identity_is_asked_where_there_is_no_workload_identity(world, api, azure):
    api.answers["GET /metadata/identity/oauth2/token"] = {"access_token": "az-token", "expires_in": "3600"}

    await world.sync(azure(AZURE_POD_IDENTITY_AUTHORITY_HOST=api.url, AZURE_CLIENT_ID="client-1"))

    (name, headers, _), *_ = api.asked
    assert headers["Metadata"] == "true"
    assert "resource=499b84ac-1321-427f-aa17-267ca6975798" in name
    assert "client_id=client-1" in name


@pytest.mark.asyncio
async def test_words_of_azure_are_passed_on(world, api, azure):
    refusal = {"error": "invalid_client", "error_description": "AADSTS700016: no such application\r\nTrace: 1"}
    api.answers["GET /metadata"] = web.json_response(refusal, status=401)

    with pytest.raises(Rejected, match="AADSTS700016: no such application"):
        await world.sync(azure(AZURE_POD_IDENTITY_AUTHORITY_HOST=api.url))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("platform", "words"),
    [
        ({"AZURE_FEDERATED_TOKEN_FILE": "/nowhere", "AZURE_CLIENT_ID": "x"}, "needs AZURE_TENANT_ID"),
        (
            {"AZURE_FEDERATED_TOKEN_FILE": "/nowhere", "AZURE_CLIENT_ID": "x", "AZURE_TENANT_ID": "y"},
            r"/nowhere \(AZURE_FEDERATED_TOKEN_FILE\) cannot be read",
        ),
    ],
)
async def test_half_an_identity_is_named(world, azure, platform, words):
    with pytest.raises(Rejected, match=words):
        await world.sync(azure(**platform))


@pytest.mark.asyncio
async def test_service_account_logs_in_at_azure_devops(world, api, azure):
    home = clouds.Home()
    home.annotations["flux-system", "robot"] = {
        "azure.workload.identity/client-id": "client-1",
        "azure.workload.identity/tenant-id": "tenant-1",
    }
    world.ctx = replace(world.ctx, issue=home.issue, account=home.account)
    api.answers["POST /tenant-1/oauth2/v2.0/token"] = {"access_token": "az-token", "expires_in": 3600}

    _, stored = await world.sync(azure("robot", AZURE_AUTHORITY_HOST=api.url))

    assert stored.files == 1
    assert api.asked[0][2]["client_assertion"] == "flux-system/robot for api://AzureADTokenExchange"
    assert len(api.asked) == 1


@pytest.mark.asyncio
async def test_token_that_azure_devops_refuses_is_asked_for_anew_once(world, api, azure, served):
    api.answers["GET /metadata"] = {"access_token": "az-token", "expires_in": "3600"}
    intent = azure(AZURE_POD_IDENTITY_AUTHORITY_HOST=api.url)
    await world.source.resolve(intent, world.ctx)
    served.behaviour.bearer = "az-second"
    api.answers["GET /metadata"] = {"access_token": "az-second", "expires_in": "3600"}

    await world.source.resolve(intent, world.ctx)

    assert len(api.asked) == 2


# CodeCommit


def test_login_at_codecommit_is_the_one_of_amazons_own_helper():
    """The password that git-remote-codecommit gives for the same repository, keys and time."""
    keys = Keys(access="ASIA", secret="s3cret", token="FwoG//token", until=NOW)
    scope = sigv4.Scope(region="eu-west-1", service="codecommit", now=NOW)

    found = codecommit.login(keys, "https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/app", scope)

    assert found == (
        "ASIA%FwoG//token",
        "20260102T030405Zaf436b1e44ed4a0aa9ea672fb57b9b817b86c3a1344d36da668214d87d564114",
    )


@pytest.mark.asyncio
async def test_codecommit_is_opened_by_a_signature_of_the_role(world, read, served):
    home = clouds.Home()
    home.annotations["flux-system", "robot"] = {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/r"}
    world.source = GitSource(LOOPBACK)
    async with clouds.serving() as cloud:
        cloud.replies["POST /"] = clouds.sts("AssumeRoleWithWebIdentity", access="ASIA", token="session")
        platform = {"AWS_ENDPOINT_URL_STS": cloud.url, "AWS_REGION": "eu-west-1"}
        world.ctx = replace(world.ctx, platform=platform, issue=home.issue, account=home.account)
        served.behaviour.username = "ASIA%session"
        keys = Keys(access="ASIA", secret="s3cret", token="session", until=NOW)
        scope = sigv4.Scope(region="eu-west-1", service="codecommit", now=NOW)
        served.behaviour.password = codecommit.login(keys, served.url, scope)[1]
        asked = {"url": served.url, "ref": {"branch": "main"}, "provider": "aws", "serviceAccountName": "robot"}

        _, stored = await world.sync(read(asked))

    assert stored.files == 1
    assert len(cloud.asked) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("provider", "url"),
    [
        ("aws", "https://git.example.org/v1/repos/app"),
        ("aws", "https://git-codecommit.eu-west-1.amazonaws.com.evil.org/v1/repos/app"),
        ("aws", "https://git-codecommit.eu-west-1.amazonaws.com:8443/v1/repos/app"),
        ("azure", "https://dev.azure.com.evil.org/team/project/_git/app"),
        ("azure", "https://evil.org/dev.azure.com"),
        ("azure", "http://dev.azure.com/team/project/_git/app"),
    ],
)
async def test_login_of_a_cloud_goes_to_its_own_hosts_only(world, read, provider, url):
    with pytest.raises(Misconfigured, match=f"is no repository of spec.provider {provider}") as caught:
        await world.source.resolve(read({"url": url, "ref": {"branch": "main"}, "provider": provider}), world.ctx)

    assert caught.value.reason == "InvalidProviderConfiguration"


@pytest.mark.parametrize("provider", ["generic", "github"])
def test_service_account_is_for_clouds(read, provider):
    with pytest.raises(SpecError, match="is for the providers aws and azure only") as caught:
        read({"provider": provider, "serviceAccountName": "robot"})

    assert caught.value.path == ("spec", "serviceAccountName")

"""Tokens of Entra ID: who is asked in which order, what is sent there, and what is made of each answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from fakes.clouds import START

from gitopsd.plugin import Http, Rejected, Transient
from gitopsd.plugin.cloud import Account, azure
from gitopsd.plugin.egress import Egress

pytestmark = pytest.mark.asyncio

SCOPE = "https://vault.azure.net/.default"
ROBOT = Account(namespace="apps", name="robot")
TOKENS = "POST /tenant-1/oauth2/v2.0/token"
GIVEN = {"access_token": "az-token", "expires_in": 3600, "token_type": "Bearer"}


@pytest.fixture
def annotated(home, cloud):
    """An account that is an identity in Azure, and Entra ID."""
    home.annotations["apps", "robot"] = {
        "azure.workload.identity/client-id": "client-1",
        "azure.workload.identity/tenant-id": "tenant-1",
    }
    home.platform = {"AZURE_AUTHORITY_HOST": f"{cloud.url}/"}
    cloud.replies[TOKENS] = GIVEN
    return home


async def test_account_proves_itself_by_a_token_of_its_own(annotated, cloud):
    found = await azure.token(ROBOT, SCOPE, annotated.context(), 5.0)

    assert (found.value, found.until) == ("az-token", START + timedelta(hours=1))
    assert annotated.issued == [("apps/robot", ("api://AzureADTokenExchange",))]
    assert cloud.asked[0].form == {
        "grant_type": "client_credentials",
        "client_id": "client-1",
        "scope": SCOPE,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": "apps/robot for api://AzureADTokenExchange",
    }
    assert "az-token" in annotated.masked


@pytest.mark.parametrize("missing", ["client-id", "tenant-id"])
async def test_annotation_that_is_missing_is_named(annotated, missing):
    del annotated.annotations["apps", "robot"][f"azure.workload.identity/{missing}"]

    with pytest.raises(
        Rejected, match=f"ServiceAccount/apps/robot lacks the annotation azure.workload.identity/{missing}"
    ):
        await azure.token(ROBOT, SCOPE, annotated.context(), 5.0)


async def test_token_is_kept_by_scope(annotated, cloud):
    ctx = annotated.context()
    for scope in (SCOPE, SCOPE, "other/.default"):
        await azure.token(ROBOT, scope, ctx, 5.0)

    assert [asked.form["scope"] for asked in cloud.asked] == [SCOPE, "other/.default"]


async def test_secret_names_client_and_authority(home, cloud):
    home.secrets["apps", "robot"] = {
        "tenantId": "tenant-1",
        "clientId": "client-2",
        "clientSecret": "s3cret",
        "authorityHost": f"{cloud.url}/",
    }
    cloud.replies[TOKENS] = GIVEN

    await azure.token(ROBOT, SCOPE, home.context(), 5.0)

    assert cloud.asked[0].form["client_secret"] == "s3cret"
    assert "client_assertion" not in cloud.asked[0].form
    assert home.issued == []


async def test_authority_out_of_a_secret_obeys_the_settings_of_the_network(annotated, cloud):
    annotated.http = Http(egress=Egress(private=False))
    await azure.token(ROBOT, SCOPE, annotated.context(), 5.0)  # the environment's is the operator's choice

    annotated.secrets["apps", "robot"] = {"tenantId": "tenant-1", "clientId": "c", "authorityHost": cloud.url}
    with pytest.raises(Rejected, match="no public address"):
        await azure.token(ROBOT, SCOPE, annotated.context(), 5.0)

    assert len(cloud.asked) == 1


@pytest.mark.parametrize("authority", ["http://login.example", "ftp://login.example", "login.example", "https://["])
async def test_authority_in_the_clear_is_refused(home, authority):
    home.secrets["apps", "robot"] = {"tenantId": "t", "clientId": "c", "authorityHost": authority}

    with pytest.raises(Rejected, match="is not an https address"):
        await azure.token(ROBOT, SCOPE, home.context(), 5.0)


async def test_refusal_of_entra_is_passed_on_in_its_first_line(annotated, cloud):
    refusal = {"error": "invalid_request", "error_description": "AADSTS70021: No matching record\r\nTrace ID: 1"}
    cloud.replies[TOKENS] = web.json_response(refusal, status=400)

    with pytest.raises(Rejected, match=r"AADSTS70021: No matching record; check the client's federated") as caught:
        await azure.token(ROBOT, SCOPE, annotated.context(), 5.0)

    assert "Trace" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        "<html>",
        "[]",
        {"expires_in": 1},
        {"access_token": 1, "expires_in": 1},
        {"access_token": "a\r\nb", "expires_in": 1},
        {"access_token": "a"},
        {"access_token": "a", "expires_in": -5},
        {"access_token": "a", "expires_in": "later"},
        {"access_token": "a", "expires_in": True},
    ],
)
async def test_answer_of_an_impostor_is_refused(annotated, cloud, answer):
    cloud.replies[TOKENS] = answer

    with pytest.raises(Rejected, match=r"Entra ID at .*(could be used|how long)"):
        await azure.token(ROBOT, SCOPE, annotated.context(), 5.0)


async def test_nobody_is_believed_for_ever(annotated, cloud):
    cloud.replies[TOKENS] = {**GIVEN, "expires_in": 999_999_999}

    found = await azure.token(ROBOT, SCOPE, annotated.context(), 5.0)

    assert found.until == START + timedelta(days=2)


async def test_process_proves_itself_by_its_federated_token(home, cloud, tmp_path):
    file = tmp_path / "token"
    file.write_text("federated\n")
    home.platform = {
        "AZURE_AUTHORITY_HOST": cloud.url,
        "AZURE_CLIENT_ID": "client-1",
        "AZURE_TENANT_ID": "tenant-1",
        "AZURE_FEDERATED_TOKEN_FILE": str(file),
    }
    cloud.replies[TOKENS] = GIVEN

    await azure.token(None, SCOPE, home.context(), 5.0)

    assert cloud.asked[0].form["client_assertion"] == "federated"


async def test_process_with_a_secret_needs_no_proof(home, cloud):
    home.platform = {
        "AZURE_AUTHORITY_HOST": cloud.url,
        "AZURE_CLIENT_ID": "client-1",
        "AZURE_TENANT_ID": "tenant-1",
        "AZURE_CLIENT_SECRET": "s3cret",
    }
    cloud.replies[TOKENS] = GIVEN

    await azure.token(None, SCOPE, home.context(), 5.0)

    assert cloud.asked[0].form["client_secret"] == "s3cret"


@pytest.mark.parametrize("name", ["AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_SECRET"])
async def test_half_an_identity_is_named(home, name):
    home.platform = {name: "/nowhere", "AZURE_CLIENT_ID": "x"}

    with pytest.raises(Rejected, match=f"{name} needs AZURE_TENANT_ID in the environment"):
        await azure.token(None, SCOPE, home.context(), 5.0)


async def test_machine_gives_the_token_of_its_identity_past_any_proxy(home, cloud):
    home.platform = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": cloud.url, "AZURE_CLIENT_ID": "client-1"}
    home.http = Http(proxies=replace(Http().proxies, http="http://127.0.0.1:9"), egress=Egress(private=False))
    cloud.replies["GET /metadata/identity/oauth2/token"] = {"access_token": "of the machine", "expires_in": "3599"}

    found = await azure.token(None, SCOPE, home.context(), 5.0)

    assert (found.value, found.until) == ("of the machine", START + timedelta(seconds=3599))
    (asked,) = cloud.asked
    assert asked.headers["metadata"] == "true"
    query = parse_qs(urlsplit(asked.path).query)
    assert (query["resource"], query["client_id"]) == (["https://vault.azure.net"], ["client-1"])


async def test_entra_that_is_away_is_asked_later(annotated, cloud):
    cloud.replies[TOKENS] = web.Response(status=502)

    with pytest.raises(Transient, match="answered 502"):
        await azure.token(ROBOT, SCOPE, annotated.context(), 5.0)


async def test_client_without_secret_or_proof_is_named(home):
    it = azure.client({"tenantId": "t", "clientId": "c"}, "Secret/a/b", home.context())

    with pytest.raises(Rejected, match="Secret/a/b lacks the key clientSecret of the client c"):
        await azure.of_client(it, SCOPE, home.context(), 5.0)

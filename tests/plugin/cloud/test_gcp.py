"""Tokens for Google Cloud: who is asked in which order, what is sent there, and what is made of each answer."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from fakes.clouds import START

from gitopsd.plugin import Http, Rejected
from gitopsd.plugin.cloud import Account, gcp
from gitopsd.plugin.egress import Egress

pytestmark = pytest.mark.asyncio

ROBOT = Account(namespace="apps", name="robot")
PROVIDER = "projects/123/locations/global/workloadIdentityPools/pool/providers/cluster"
EMAIL = "reader@project-1.iam.gserviceaccount.com"
GIVEN = {"access_token": "ya29.exchanged", "expires_in": 3600, "token_type": "Bearer"}
ENDS = (START + timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
IMPERSONATED = {"accessToken": "ya29.impersonated", "expireTime": ENDS}
GENERATE = f"POST /v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"


@pytest.fixture
def google(home, cloud):
    """Google's services, and an account that is known there by a provider."""
    home.annotations["apps", "robot"] = {"gcp.auth.fluxcd.io/workload-identity-provider": PROVIDER}
    home.platform = {
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_STS": f"{cloud.url}/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS": f"{cloud.url}/",
        "GCE_METADATA_HOST": cloud.host,
    }
    cloud.replies |= {"POST /v1/token": GIVEN, GENERATE: IMPERSONATED}
    return home


@pytest.fixture(scope="module")
def private():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def key(private, cloud):
    """The JSON key of a service account."""
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "client_email": EMAIL,
        "private_key": pem.decode(),
        "private_key_id": "k1",
        "token_uri": f"{cloud.url}/token",
    }


@pytest.fixture
def file(google, tmp_path):
    """What GOOGLE_APPLICATION_CREDENTIALS names."""

    def write(value):
        path = tmp_path / "credentials.json"
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        google.platform["GOOGLE_APPLICATION_CREDENTIALS"] = str(path)

    return write


async def test_account_is_known_by_the_provider_of_its_annotation(google, cloud):
    found = await gcp.token(ROBOT, gcp.SCOPES, google.context(), 5.0)

    assert (found.value, found.until) == ("ya29.exchanged", START + timedelta(hours=1))
    audience = f"//iam.googleapis.com/{PROVIDER}"
    assert google.issued == [("apps/robot", (audience,))]
    assert cloud.asked[0].form == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "audience": audience,
        "scope": gcp.SCOPES,
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token": f"apps/robot for {audience}",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    }
    assert "ya29.exchanged" in google.masked


async def test_account_with_an_address_impersonates_it(google, cloud):
    google.annotations["apps", "robot"]["iam.gke.io/gcp-service-account"] = EMAIL

    found = await gcp.token(ROBOT, gcp.SCOPES, google.context(), 5.0)

    assert (found.value, found.until) == ("ya29.impersonated", START + timedelta(minutes=30))
    exchange, impersonation = cloud.asked
    assert exchange.form["scope"] == "https://www.googleapis.com/auth/cloud-platform"
    assert impersonation.headers["authorization"] == "Bearer ya29.exchanged"
    assert json.loads(impersonation.body) == {"scope": gcp.SCOPES.split(), "lifetime": "3600s"}


async def test_account_of_gke_is_known_by_its_cluster(google, cloud):
    google.annotations["apps", "robot"] = {}
    cloud.replies |= {
        "GET /computeMetadata/v1/project/project-id": "project-1",
        "GET /computeMetadata/v1/instance/attributes/cluster-location": "europe-west1",
        "GET /computeMetadata/v1/instance/attributes/cluster-name": "production",
    }

    await gcp.token(ROBOT, gcp.SCOPES, google.context(), 5.0)

    assert google.issued == [("apps/robot", ("project-1.svc.id.goog",))]
    assert cloud.asked[-1].form["audience"] == (
        "identitynamespace:project-1.svc.id.goog:"
        "https://container.googleapis.com/v1/projects/project-1/locations/europe-west1/clusters/production"
    )
    assert all(asked.headers["metadata-flavor"] == "Google" for asked in cloud.asked[:3])


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ({"iam.gke.io/gcp-service-account": "me@evil.org"}, "gcp-service-account is 'me@evil.org', not the address"),
        (
            {"iam.gke.io/gcp-service-account": "a/../b@x.iam.gserviceaccount.com"},
            "not the address of a service account",
        ),
        ({"gcp.auth.fluxcd.io/workload-identity-provider": "pool"}, "not projects/NUMBER/locations/global"),
        ({}, r"metadata server at .* answered 404; has this machine a service account\?"),
    ],
)
async def test_account_that_google_cannot_know_is_named(google, annotations, words):
    google.annotations["apps", "robot"] = annotations

    with pytest.raises(Rejected, match=words):
        await gcp.token(ROBOT, gcp.SCOPES, google.context(), 5.0)


async def test_refusal_of_google_is_passed_on(google, cloud):
    refusal = {"error": "invalid_grant", "error_description": "The audience in ID Token does not match"}
    cloud.replies["POST /v1/token"] = web.json_response(refusal, status=400)

    with pytest.raises(Rejected, match="answered 400: The audience in ID Token does not match; check the workload"):
        await gcp.token(ROBOT, gcp.SCOPES, google.context(), 5.0)


async def test_refused_impersonation_is_passed_on(google, cloud):
    google.annotations["apps", "robot"]["iam.gke.io/gcp-service-account"] = EMAIL
    cloud.replies[GENERATE] = web.json_response({"error": {"code": 403, "message": "Permission denied"}}, status=403)

    with pytest.raises(Rejected, match=r"answered 403: Permission denied; has it the role iam.workloadIdentityUser"):
        await gcp.token(ROBOT, gcp.SCOPES, google.context(), 5.0)


async def test_process_takes_the_token_of_the_machine(google, cloud):
    google.http = Http(egress=Egress(private=False))
    cloud.replies["GET /computeMetadata/v1/instance/service-accounts/default/token"] = {**GIVEN, "expires_in": 600}

    found = await gcp.token(None, gcp.SCOPES, google.context(), 5.0)

    assert found.until == START + timedelta(minutes=10)
    assert cloud.asked[0].headers["metadata-flavor"] == "Google"


async def test_key_of_a_service_account_signs_a_statement(google, cloud, key, file, private):
    file(key)
    cloud.replies["POST /token"] = GIVEN

    await gcp.token(None, gcp.SCOPES, google.context(), 5.0)

    form = cloud.asked[0].form
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    head, claims, signature = form["assertion"].split(".")
    private.public_key().verify(_plain(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
    assert json.loads(_plain(head)) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    now = int(START.timestamp())
    assert json.loads(_plain(claims)) == {
        "iss": EMAIL,
        "scope": gcp.SCOPES,
        "aud": f"{cloud.url}/token",
        "iat": now,
        "exp": now + 600,
    }


async def test_key_out_of_an_object_obeys_the_settings_of_the_network(google, cloud, key):
    google.http = Http(egress=Egress(private=False))

    with pytest.raises(Rejected, match="no public address"):
        await gcp.of_key(key, "Secret/a/b", gcp.SCOPES, google.context(), 5.0)

    assert cloud.asked == []


async def test_login_of_a_user_is_renewed(google, cloud, file):
    file(
        {
            "type": "authorized_user",
            "client_id": "c",
            "client_secret": "s",
            "refresh_token": "r",
            "token_uri": f"{cloud.url}/token",
        }
    )
    cloud.replies["POST /token"] = GIVEN

    await gcp.token(None, gcp.SCOPES, google.context(), 5.0)

    assert cloud.asked[0].form == {
        "grant_type": "refresh_token",
        "client_id": "c",
        "client_secret": "s",
        "refresh_token": "r",
    }


def _external(cloud, source, **more):
    return {
        "type": "external_account",
        "audience": "//iam.googleapis.com/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{cloud.url}/v1/token",
        "credential_source": source,
        **more,
    }


async def test_identity_of_another_is_read_from_a_file(google, cloud, file, tmp_path):
    (tmp_path / "subject").write_text('{"id_token": "of another"}')
    source = {"file": str(tmp_path / "subject"), "format": {"type": "json", "subject_token_field_name": "id_token"}}
    impersonation = f"{cloud.url}/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"
    file(_external(cloud, source, service_account_impersonation_url=impersonation))

    found = await gcp.token(None, gcp.SCOPES, google.context(), 5.0)

    assert found.value == "ya29.impersonated"
    assert cloud.asked[0].form["subject_token"] == "of another"
    assert "of another" in google.masked


async def test_identity_of_another_is_asked_for_at_an_address(google, cloud, file):
    file(_external(cloud, {"url": f"{cloud.url}/subject", "headers": {"X-Own": "1"}}))
    cloud.replies["GET /subject"] = "of another\n"

    await gcp.token(None, gcp.SCOPES, google.context(), 5.0)

    assert cloud.asked[0].headers["x-own"] == "1"
    assert cloud.asked[1].form["subject_token"] == "of another"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is no JSON object"),
        ("[]", "is no JSON object"),
        ({}, "credentials of type 'None' are not served"),
        ({"type": "gdch_service_account"}, "are not served; service_account, authorized_user and external_account are"),
        ({"type": "service_account"}, "lacks client_email"),
        ({"type": "service_account", "client_email": EMAIL, "private_key": "x"}, "no RSA key in PEM form"),
        (
            {"type": "external_account", "credential_source": {"executable": {"command": "rm"}}},
            "programs are not started",
        ),
        ({"type": "external_account", "credential_source": {"file": "/nowhere"}}, "/nowhere cannot be read"),
        ({"type": "external_account", "credential_source": {"file": "/dev/null"}}, "there is no token"),
        ("x" * (1 << 17), "larger than 64 KiB"),
    ],
)
async def test_file_that_cannot_be_used_is_named(google, file, content, words):
    file(content)

    with pytest.raises(Rejected, match=f"credentials.json .GOOGLE_APPLICATION_CREDENTIALS.*{words}"):
        await gcp.token(None, gcp.SCOPES, google.context(), 5.0)


@pytest.mark.parametrize("answer", ["<html>", {"access_token": ""}, {"access_token": "x"}, web.Response(status=302)])
async def test_answer_of_an_impostor_is_refused(google, cloud, answer):
    cloud.replies["POST /v1/token"] = answer

    with pytest.raises(Rejected, match="Google's token service at"):
        await gcp.token(ROBOT, gcp.SCOPES, google.context(), 5.0)


def _plain(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

"""Google Cloud KMS is asked with a token: for a statement that a service account signs, or as lent to an account of Kubernetes."""

from __future__ import annotations

import base64
import json

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from fakes import clouds
from fakes.clouds import START

from gitopsd.plugin import Asker, Keys, Lock, Misconfigured, Rejected
from gitopsd.plugin.cloud import Account
from gitopsd.plugin.conformance.key_service import KeyServiceSuite
from gitopsd_plugins.gcp.service import Kms

DATA_KEY = bytes(range(32))
NAME = "projects/p/locations/global/keyRings/r/cryptoKeys/k"
LOCK = Lock.of("gcp_kms", {"resource_id": NAME, "enc": "c2VhbGVk"})
ROBOT = Account(namespace="apps", name="robot")


class TestKms(KeyServiceSuite):
    service = Kms
    lock = LOCK
    unfit = Lock.of("gcp_kms", {"resource_id": "projects/p/x?y"})
    held = "sops.gcp-kms"
    broken = b'{"private_key": "very-secret"'


@pytest_asyncio.fixture
async def google():
    async with clouds.serving() as running:
        given = {"access_token": "ya29", "expires_in": 3600, "token_type": "Bearer"}
        running.replies = {
            "POST /token": given,
            "POST /sts/v1/token": given,
            f"POST /v1/{NAME}:decrypt": {"plaintext": base64.b64encode(DATA_KEY).decode()},
        }
        yield running


def account(url: str, key: rsa.RSAPrivateKey) -> tuple[Keys, ...]:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    words = {"client_email": "a@b.iam", "private_key": pem.decode(), "private_key_id": "k1"}
    text = json.dumps({"type": "service_account", **words, "token_uri": f"{url}/token", "endpoint": url})
    return (Keys(place="Secret/apps/sops", values={"sops.gcp-kms": text.encode()}),)


@pytest.mark.asyncio
async def test_it_is_asked_with_a_token_for_a_signed_statement(google):
    home, key = clouds.Home(), rsa.generate_private_key(65537, 2048)
    assert await Kms().open(LOCK, Asker(keys=account(google.url, key)), home.context()) == DATA_KEY
    token, decrypt = google.asked
    head, claims, signature = (base64.urlsafe_b64decode(p + "==") for p in token.form["assertion"].split("."))
    signed = token.form["assertion"].rpartition(".")[0].encode()
    key.public_key().verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    said = json.loads(claims)
    assert (said["iss"], said["aud"]) == ("a@b.iam", f"{google.url}/token")
    assert said["scope"] == "https://www.googleapis.com/auth/cloudkms"
    assert said["iat"] == int(START.timestamp()) < said["exp"]
    assert json.loads(head)["kid"] == "k1"
    assert decrypt.headers["authorization"] == "Bearer ya29"
    assert json.loads(decrypt.body) == {"ciphertext": "c2VhbGVk"}


@pytest.mark.asyncio
async def test_an_account_of_kubernetes_is_exchanged_for_a_token(google):
    home = clouds.Home()
    provider = "projects/1/locations/global/workloadIdentityPools/p/providers/k"
    home.annotations["apps", "robot"] = {"gcp.auth.fluxcd.io/workload-identity-provider": provider}
    home.platform = {
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_STS": f"{google.url}/sts",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS": google.url,
    }
    assert await Kms().open(LOCK, Asker(account=ROBOT), home.context()) == DATA_KEY
    assert google.asked[0].form["audience"] == f"//iam.googleapis.com/{provider}"


@pytest.mark.asyncio
async def test_gitopsd_itself_asks_for_keys_that_the_settings_name(google, tmp_path):
    """With an external account in a file that the operator named: what a Secret may not bring."""
    home = clouds.Home()
    (tmp_path / "subject").write_text("a-token-of-somebody-else")
    outside = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{google.url}/sts/v1/token",
        "credential_source": {"file": str(tmp_path / "subject")},
    }
    (tmp_path / "credentials.json").write_text(json.dumps(outside))
    home.platform = {
        "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "credentials.json"),
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS": google.url,
    }
    assert await Kms().open(LOCK, Asker(own=("projects/p/*",)), home.context()) == DATA_KEY
    assert google.asked[0].form["subject_token"] == "a-token-of-somebody-else"
    keys = (Keys(place="Secret/apps/sops", values={"sops.gcp-kms": json.dumps(outside).encode()}),)
    with pytest.raises(Misconfigured, match=r"Secret/apps/sops\[sops.gcp-kms\]: an external account names files"):
        await Kms().open(LOCK, Asker(keys=keys), home.context())


@pytest.mark.asyncio
async def test_a_refusal_and_an_empty_answer_are_said(google):
    key = rsa.generate_private_key(65537, 2048)
    google.replies[f"POST /v1/{NAME}:decrypt"] = {}
    with pytest.raises(Rejected, match="answered without a plaintext"):
        await Kms().open(LOCK, Asker(keys=account(google.url, key)), clouds.Home().context())
    del google.replies[f"POST /v1/{NAME}:decrypt"]
    with pytest.raises(Rejected, match=f"Google Cloud KMS, key {NAME} answered 404"):
        await Kms().open(LOCK, Asker(keys=account(google.url, key)), clouds.Home().context())

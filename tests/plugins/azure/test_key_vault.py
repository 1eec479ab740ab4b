"""Azure Key Vault is asked with tokens of Entra ID: by secret, certificate, machine or service account; and only where tokens may go."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta

import pytest
import pytest_asyncio
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from fakes import clouds
from fakes.clouds import START

from gitopsd.plugin import Asker, Keys, Lock, Misconfigured, Rejected
from gitopsd.plugin.cloud import Account
from gitopsd.plugin.conformance.key_service import KeyServiceSuite
from gitopsd_plugins.azure.service import KeyVault

DATA_KEY = bytes(range(32))
ROBOT = Account(namespace="apps", name="robot")
GIVEN = {"access_token": "az-token", "expires_in": 3600}


class TestKeyVault(KeyServiceSuite):
    service = KeyVault
    lock = Lock.of("azure_kv", {"vault_url": "https://x.vault.azure.net", "name": "n", "version": "v1", "enc": ""})
    unfit = Lock.of("azure_kv", {"vault_url": "https://x.vault.azure.net", "name": "n/../m"})
    held = "sops.azure-kv"
    broken = b'{"clientSecret": "very-secret"'


@pytest_asyncio.fixture
async def azure():
    async with clouds.serving() as running:
        value = base64.urlsafe_b64encode(DATA_KEY).decode().rstrip("=")
        running.replies = {
            "POST /t/oauth2/v2.0/token": GIVEN,
            "GET /metadata/identity/oauth2/token": GIVEN,
            "POST /keys/main/v1/decrypt": {"value": value},
        }
        yield running


@pytest.fixture
def home(azure):
    found = clouds.Home()
    found.platform = {"AZURE_AUTHORITY_HOST": azure.url, "AZURE_POD_IDENTITY_AUTHORITY_HOST": azure.url}
    return found


def held(azure: clouds.Cloud, *, listed: bool = True, **words: object) -> tuple[Keys, ...]:
    values = {"sops.azure-kv": json.dumps(words).encode()}
    return (Keys(place="Secret/apps/sops", values=values | ({"sops.addresses": azure.url.encode()} if listed else {})),)


SECRET = {"tenantId": "t", "clientId": "c", "clientSecret": "very-secret"}


async def opened(azure: clouds.Cloud, home: clouds.Home, asker: Asker) -> bytes:
    lock = Lock.of("azure_kv", {"vault_url": f"{azure.url}/", "name": "main", "version": "v1", "enc": "c2VhbGVk"})
    return await KeyVault().open(lock, asker, home.context())


@pytest.mark.asyncio
async def test_a_clients_secret_gets_a_token_for_the_vaults_audience(azure, home):
    assert await opened(azure, home, Asker(keys=held(azure, **SECRET))) == DATA_KEY
    token, decrypt = azure.asked
    assert (token.form["client_secret"], token.form["scope"]) == ("very-secret", "https://vault.azure.net/.default")
    assert decrypt.path == "/keys/main/v1/decrypt?api-version=7.4"
    assert decrypt.headers["authorization"] == "Bearer az-token"
    assert json.loads(decrypt.body) == {"alg": "RSA-OAEP-256", "value": "c2VhbGVk"}
    assert {"very-secret", "az-token"} <= set(home.masked)


@pytest.mark.asyncio
async def test_the_az_commands_words_and_other_encodings_are_taken(azure, home):
    text = json.dumps({"tenant": "t", "appId": "c", "password": "very-secret"}).encode("utf-16")
    keys = Keys(place="Secret/a/b", values={"sops.azure-kv": text, "sops.addresses": azure.url.encode()})
    assert await opened(azure, home, Asker(keys=(keys,))) == DATA_KEY


@pytest.mark.asyncio
async def test_a_token_goes_to_azures_own_domains_unless_the_secret_lists_the_address(azure, home):
    with pytest.raises(Rejected, match="is not asked"):
        await opened(azure, home, Asker(keys=held(azure, listed=False, **SECRET)))
    assert azure.asked == []


def made() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "client")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(START).not_valid_after(START + timedelta(days=9))
    return key, builder.sign(key, hashes.SHA256())


def pem(key: rsa.RSAPrivateKey, certificate: x509.Certificate, password: str) -> str:
    sealed = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    own = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)
    return (own + certificate.public_bytes(serialization.Encoding.PEM)).decode()


def pfx(key: rsa.RSAPrivateKey, certificate: x509.Certificate, password: str) -> str:
    sealed = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    return base64.b64encode(pkcs12.serialize_key_and_certificates(b"c", key, certificate, None, sealed)).decode()


@pytest.mark.asyncio
@pytest.mark.parametrize("form", [pem, pfx])
@pytest.mark.parametrize("password", ["", "open-it"])
async def test_a_certificate_signs_a_statement_about_its_client(azure, home, form, password):
    key, certificate = made()
    words = {"clientCertificate": form(key, certificate, password), "clientCertificatePassword": password}
    asked = {"tenantId": "t", "clientId": "c", "clientCertificateSendChain": True, **words}
    assert await opened(azure, home, Asker(keys=held(azure, **asked))) == DATA_KEY

    form_ = azure.asked[0].form
    assert "client_secret" not in form_
    head, claims, signature = (base64.urlsafe_b64decode(p + "==") for p in form_["client_assertion"].split("."))
    signed = form_["client_assertion"].rpartition(".")[0].encode()
    public = certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    public.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    der = certificate.public_bytes(serialization.Encoding.DER)
    assert json.loads(head)["x5c"] == [base64.b64encode(der).decode()]
    assert base64.urlsafe_b64decode(json.loads(head)["x5t"] + "==") == hashlib.sha1(der).digest()
    said = json.loads(claims)
    assert (said["aud"], said["iss"], said["sub"]) == (f"{azure.url}/t/oauth2/v2.0/token", "c", "c")
    assert said["nbf"] == int(START.timestamp()) < said["exp"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "certificate", ["very-secret", "-----BEGIN PRIVATE KEY-----\nvery-secret\n", "dmVyeS1zZWNyZXQ="]
)
async def test_a_certificate_that_is_none_is_named_by_its_place(azure, home, certificate):
    keys = held(azure, tenantId="t", clientId="c", clientCertificate=certificate)
    with pytest.raises(Rejected, match=r"Secret/apps/sops\[sops.azure-kv\]: clientCertificate is no certificate") as e:
        await opened(azure, home, Asker(keys=keys))
    assert "very-secret" not in str(e.value)


@pytest.mark.asyncio
async def test_a_managed_identity_is_the_machines_and_needs_the_operators_word(azure, home):
    home.platform |= {"AZURE_CLIENT_SECRET": "own", "AZURE_CLIENT_ID": "own", "AZURE_TENANT_ID": "own"}
    keys = held(azure, clientId="c")
    with pytest.raises(Rejected, match="names a managed identity of this machine"):
        await opened(azure, home, Asker(keys=keys))
    assert azure.asked == []
    assert await opened(azure, home, Asker(keys=keys, own=(f"{azure.url}/keys/*",))) == DATA_KEY
    assert "client_id=c" in azure.asked[0].path


@pytest.mark.asyncio
async def test_a_service_account_and_gitopsd_itself_get_tokens_of_their_own(azure, home):
    lists = (Keys(place="Secret/apps/sops", values={"sops.addresses": azure.url.encode()}),)
    home.annotations["apps", "robot"] = {
        "azure.workload.identity/client-id": "robot",
        "azure.workload.identity/tenant-id": "t",
    }
    assert await opened(azure, home, Asker(keys=lists, account=ROBOT)) == DATA_KEY
    assert azure.asked[0].form["client_assertion"] == "apps/robot for api://AzureADTokenExchange"
    home.platform |= {"AZURE_CLIENT_SECRET": "own-secret", "AZURE_CLIENT_ID": "own", "AZURE_TENANT_ID": "t"}
    assert await opened(azure, home, Asker(keys=lists, own=("*",))) == DATA_KEY
    assert azure.asked[2].form["client_id"] == "own"


@pytest.mark.asyncio
async def test_what_is_missing_is_named(azure, home):
    with pytest.raises(Misconfigured, match="must hold tenantId, clientId and clientSecret or clientCertificate"):
        await opened(azure, home, Asker(keys=held(azure, tenantId="t", clientId="c")))
    azure.replies["POST /keys"] = azure.replies["POST /keys/main/v1/decrypt"] = {}
    with pytest.raises(Rejected, match="answered without a plaintext"):
        await opened(azure, home, Asker(keys=held(azure, **SECRET)))


@pytest.mark.asyncio
async def test_a_token_that_is_refused_is_not_used_again(azure, home):
    opened_before, ctx = azure.replies["POST /keys/main/v1/decrypt"], home.context()
    lock = Lock.of("azure_kv", {"vault_url": azure.url, "name": "main", "version": "v1", "enc": "c2VhbGVk"})
    asker = Asker(keys=held(azure, **SECRET))
    azure.replies["POST /keys/main/v1/decrypt"] = web.json_response({"error": {"message": "expired"}}, status=401)
    with pytest.raises(Rejected, match="answered 401: expired"):
        await KeyVault().open(lock, asker, ctx)
    azure.replies["POST /keys/main/v1/decrypt"] = opened_before
    assert [await KeyVault().open(lock, asker, ctx) for _ in range(2)] == [DATA_KEY] * 2
    assert [asked.path for asked in azure.asked].count("/t/oauth2/v2.0/token") == 2

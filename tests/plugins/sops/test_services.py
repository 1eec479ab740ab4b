"""Services that keep keys are asked in the words of their documentation, and their refusals are said without a secret."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from fakes import key_services, sink_context
from fakes.key_services import DATA_KEY

from gitopsd.plugin import Keys, Lock, Misconfigured, Rejected, Transient
from gitopsd_plugins.sops.decryptor import SopsDecryptor

pytestmark = pytest.mark.asyncio
TOKEN = "s.very-secret-token"


def keys(**values: str) -> Sequence[Keys]:
    return (
        Keys(
            place="Secret/apps/sops",
            values={k.replace("_", "-", 9).replace("sops-", "sops.", 1): v.encode() for k, v in values.items()},
        ),
    )


async def unlock(lock: Lock, held: Sequence[Keys], folder: Path) -> bytes:
    return await SopsDecryptor().unlock(lock, held, sink_context.make(folder))


def vault_lock(url: str, **fields: str) -> Lock:
    given = {"vault_address": url, "engine_path": "transit", "key_name": "main", "enc": "vault:v1:sealed"}
    return Lock.of("hc_vault", {**given, **fields})


async def test_vault_opens_with_the_token(tmp_path: Path) -> None:
    async with key_services.serving(key_services.vault(TOKEN)) as service:
        assert await unlock(vault_lock(service.url), keys(sops_vault_token=f"{TOKEN}\n"), tmp_path) == DATA_KEY


async def test_a_refusal_of_vault_is_said_in_its_words_with_address_and_key(tmp_path: Path) -> None:
    async with key_services.serving(key_services.vault("another")) as service:
        with pytest.raises(Rejected) as raised:
            await unlock(vault_lock(service.url), keys(sops_vault_token=TOKEN), tmp_path)
    assert str(raised.value) == f"Vault {service.url}, key transit/decrypt/main: answered 403: permission denied"


async def test_a_service_that_is_away_or_busy_is_asked_again_later(tmp_path: Path) -> None:
    async with key_services.serving(lambda *_: (503, {"errors": ["Vault is sealed"]})) as service:
        with pytest.raises(Transient, match="503: Vault is sealed"):
            await unlock(vault_lock(service.url), keys(sops_vault_token=TOKEN), tmp_path)
    with pytest.raises(Transient, match="cannot be reached"):
        await unlock(vault_lock(service.url), keys(sops_vault_token=TOKEN), tmp_path)


async def test_a_token_goes_to_no_address_that_the_secret_does_not_list(tmp_path: Path) -> None:
    async with key_services.serving(key_services.vault(TOKEN)) as service:
        held = keys(sops_vault_token=TOKEN, sops_addresses="https://vault.example.org")
        with pytest.raises(
            Rejected, match=r"is not asked: the credentials in Secret/apps/sops\[sops.vault-token\] are not for it"
        ):
            await unlock(vault_lock(service.url), held, tmp_path)
        assert service.asked == []
        listed = keys(sops_vault_token=TOKEN, sops_addresses=f"https://vault.example.org\n{service.url}/\n")
        assert await unlock(vault_lock(service.url), listed, tmp_path) == DATA_KEY


async def test_an_answer_without_a_plaintext_is_refused(tmp_path: Path) -> None:
    async with key_services.serving(lambda *_: (200, {"data": {}})) as service:
        with pytest.raises(Rejected, match="answered without a plaintext"):
            await unlock(vault_lock(service.url), keys(sops_vault_token=TOKEN), tmp_path)


def aws_keys(url: str, secret: str = "wJalrXUtnFEMI") -> Sequence[Keys]:
    return keys(sops_aws_kms=f"aws_access_key_id: AKID\naws_secret_access_key: {secret}\nendpoint: {url}\n")


AWS = {"arn": "arn:aws:kms:eu-west-1:111122223333:key/abc", "enc": "c2VhbGVk", "role": "", "context.env": "test"}


async def test_aws_is_asked_with_a_signature_and_the_context(tmp_path: Path) -> None:
    async with key_services.serving(key_services.aws("AKID", "wJalrXUtnFEMI")) as service:
        assert await unlock(Lock.of("kms", AWS), aws_keys(service.url), tmp_path) == DATA_KEY
        ((_, headers, body),) = service.asked
    assert json.loads(body)["EncryptionContext"] == {"env": "test"}
    assert "/eu-west-1/kms/aws4_request" in headers["authorization"]


async def test_a_wrong_secret_of_aws_is_said_in_its_words(tmp_path: Path) -> None:
    async with key_services.serving(key_services.aws("AKID", "other")) as service:
        with pytest.raises(Rejected, match=r"AWS KMS, key arn:aws:kms:eu-west-1:.*signature does not match"):
            await unlock(Lock.of("kms", AWS), aws_keys(service.url), tmp_path)


async def test_what_of_aws_is_not_served_is_named(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="roles are not assumed yet"):
        await unlock(Lock.of("kms", {**AWS, "role": "arn:aws:iam::1:role/x"}), aws_keys("http://127.0.0.1:9"), tmp_path)


def google_keys(url: str) -> Sequence[Keys]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {
        "client_email": "a@b.iam",
        "private_key": pem.decode(),
        "private_key_id": "k1",
        "token_uri": f"{url}/token",
    }
    return keys(sops_gcp_kms=json.dumps({**account, "endpoint": url}))


GOOGLE = {"resource_id": "projects/p/locations/global/keyRings/r/cryptoKeys/k", "enc": "c2VhbGVk"}


async def test_google_is_asked_with_a_token_for_a_signed_statement(tmp_path: Path) -> None:
    def opened(body: bytes) -> tuple[int, Mapping[str, str]]:
        assert json.loads(body) == {"ciphertext": "c2VhbGVk"}
        return 200, {"plaintext": base64.b64encode(DATA_KEY).decode()}

    answer = key_services.with_tokens("ya29", f"/v1/{GOOGLE['resource_id']}:decrypt", opened)
    async with key_services.serving(answer) as service:
        assert await unlock(Lock.of("gcp_kms", GOOGLE), google_keys(service.url), tmp_path) == DATA_KEY
        form = parse_qs(service.asked[0][2].decode())
    claims = json.loads(base64.urlsafe_b64decode(form["assertion"][0].split(".")[1] + "=="))
    assert (claims["iss"], claims["aud"]) == ("a@b.iam", f"{service.url}/token")
    assert claims["scope"] == "https://www.googleapis.com/auth/cloudkms"


async def test_azure_is_asked_with_a_token_for_its_audience(tmp_path: Path) -> None:
    def opened(body: bytes) -> tuple[int, Mapping[str, str]]:
        assert json.loads(body) == {"alg": "RSA-OAEP-256", "value": "c2VhbGVk"}
        return 200, {"value": base64.urlsafe_b64encode(DATA_KEY).decode().rstrip("=")}

    answer = key_services.with_tokens("eyJ", "/keys/main/v1/decrypt?api-version=7.4", opened)
    async with key_services.serving(answer) as service:
        lock = Lock.of("azure_kv", {"vault_url": service.url, "name": "main", "version": "v1", "enc": "c2VhbGVk"})
        config = f"tenantId: t\nclientId: c\nclientSecret: very-secret\nauthorityHost: {service.url}\n"
        with pytest.raises(Rejected, match="is not asked"):
            await unlock(lock, keys(sops_azure_kv=config), tmp_path)
        assert service.asked == []
        assert await unlock(lock, keys(sops_azure_kv=config, sops_addresses=service.url), tmp_path) == DATA_KEY
        assert service.asked[0][0] == "/t/oauth2/v2.0/token"


@pytest.mark.parametrize(
    ("lock", "name"),
    [
        (Lock.of("kms", AWS), "sops_aws_kms"),
        (Lock.of("gcp_kms", GOOGLE), "sops_gcp_kms"),
        (Lock.of("azure_kv", {"vault_url": "https://x.vault.azure.net", "name": "n", "enc": ""}), "sops_azure_kv"),
    ],
)
async def test_credentials_that_are_none_are_named_by_their_place_and_never_quoted(
    tmp_path: Path, lock: Lock, name: str
) -> None:
    with pytest.raises(Misconfigured) as raised:
        await unlock(lock, keys(**{name: '{"key": "very-secret"'}), tmp_path)
    assert "Secret/apps/sops[sops." in str(raised.value)
    assert "very-secret" not in str(raised.value)

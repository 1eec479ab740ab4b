"""Keys that services keep, the whole way: the real sops encrypts with the real service, and the Secret reaches the cluster as it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from fakes import sops_file
from fakes.s3_server import S3, s3_server
from fakes.vault_server import ROOT, Vault, vault_server
from fakes.world import World, kustomization

from gitopsd.model.outcome import Phase
from gitopsd.plugin.cloud import jwt

pytestmark = pytest.mark.asyncio
PASSWORD = "correct-horse-battery"
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "sealed", "namespace": "default"},
    "stringData": {"password": PASSWORD},
}
HELD = "decryption: {provider: sops, secretRef: {name: keys}}"
AS_ACCOUNT = "decryption: {provider: sops, serviceAccountName: opener}"
OWN = "  decryption:\n    provider: sops\n    ownIdentity: ['*']\n"


async def test_an_account_of_the_apps_own_goes_before_the_secret_for_all_apps(world: World) -> None:
    world.settings = "  decryption: {provider: sops, secret: shared}\n"
    world.repository.commit({"app/secret.yaml": sops_file.for_vault(SECRET, "http://127.0.0.1:1", bytes(32))})
    shared = secret("shared", **{"sops.vault-token": "s.for-all-apps"})
    world.declare(kustomization("app"), shared)
    assert "cannot be reached" in (await world.app()).message
    world.declare(kustomization("app", AS_ACCOUNT), shared)
    assert "ServiceAccount/flux-system/opener may log in only where the ConfigMap" in (await world.app()).message


async def sealed(folder: Path, *arguments: str, **environment: str) -> str:
    """The Secret as sops encrypts it."""
    if shutil.which("sops") is None:
        pytest.skip("sops is not installed")
    (folder / "plain.json").write_text(json.dumps(SECRET))
    command = [
        "sops",
        "encrypt",
        "--encrypted-regex",
        "^stringData$",
        "--output-type",
        "yaml",
        *arguments,
        "plain.json",
    ]
    given = {"PATH": os.environ["PATH"], "HOME": str(folder), **environment}

    def run() -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(command, cwd=folder, env=given, capture_output=True, check=False)

    done = await anyio.to_thread.run_sync(run)
    assert done.returncode == 0, done.stderr.decode()
    assert PASSWORD.encode() not in done.stdout
    return done.stdout.decode()


def secret(name: str, **values: str) -> str:
    lines = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in values.items())
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: flux-system}}\nstringData:\n{lines}"


async def arrives(world: World) -> bool:
    """True when the Secret is in the cluster as it was; else the message is shown."""
    outcome = await world.app()
    assert outcome.phase is Phase.READY, outcome.message
    found = await world.get("/api/v1/namespaces/default/secrets/sealed")
    return found is not None and found["data"] == {"password": "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5"}


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    with vault_server(tmp_path_factory.mktemp("vault")) as server:
        yield server


async def by_vault(vault: Vault, folder: Path) -> str:
    return await sealed(folder, "--hc-vault-transit", f"{vault.url}/v1/transit/keys/main", VAULT_TOKEN=ROOT)


async def test_vault_opens_for_a_token(world: World, vault: Vault, tmp_path: Path) -> None:
    world.repository.commit({"app/secret.yaml": await by_vault(vault, tmp_path)})
    world.declare(kustomization("app", HELD), secret("keys", **{"sops.vault-token": "s.not-this-one"}))
    outcome = await world.app()
    assert "app/secret.yaml: no key opens it: hc_vault main: " in outcome.message
    assert "answered 403: " in outcome.message
    assert "permission denied" in outcome.message
    world.declare(kustomization("app", HELD), secret("keys", **{"sops.vault-token": vault.token("opener")}))
    assert await arrives(world)


async def test_vault_opens_for_a_service_account_that_logs_in(world: World, vault: Vault, tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    subject = "system:serviceaccount:flux-system:opener"
    vault.send("POST", "sys/auth/cluster", {"type": "jwt"})
    vault.send("POST", "auth/cluster/config", {"jwt_validation_pubkeys": [public.decode()]})
    role = {"role_type": "jwt", "user_claim": "sub", "bound_subject": subject, "bound_audiences": [vault.url]}
    vault.send("POST", "auth/cluster/role/flux-system_opener", {**role, "token_policies": ["opener"]})
    now = int(time.time())
    token = jwt.signed({"sub": subject, "aud": vault.url, "iat": now, "nbf": now, "exp": now + 600}, private)
    world.settings = "  decryption:\n    configMap: vaults\n"
    instances = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: vaults, namespace: flux-system}\n"
        f"data:\n  config.yaml: |\n    instances:\n    - {{address: '{vault.url}', loginPath: auth/cluster/login}}\n"
    )
    world.repository.commit({"app/secret.yaml": await by_vault(vault, tmp_path)})
    world.declare(kustomization("app", AS_ACCOUNT), secret("opener", token=token), instances)
    assert await arrives(world)


@pytest.fixture(scope="module")
def aws() -> Iterator[S3]:
    with s3_server() as server:
        yield server


async def test_aws_opens_for_keys_and_in_the_role_that_the_file_names(world: World, aws: S3, tmp_path: Path) -> None:
    arn = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    access, secret_key = aws.user("decryptor")
    given = {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret_key, "AWS_ENDPOINT_URL": aws.url}
    content = await sealed(tmp_path, "--kms", arn, "--encryption-context", "app:shop", **given)
    assert "app: shop" in content
    world.repository.commit({"app/secret.yaml": content})
    held = f"aws_access_key_id: {access}\naws_secret_access_key: {secret_key}\nendpoint: {aws.url}\n"
    world.declare(kustomization("app", HELD), secret("keys", **{"sops.aws-kms": held}))
    assert await arrives(world)


async def test_aws_is_not_asked_as_gitopsd_itself_unless_the_settings_say_so(
    world: World, aws: S3, tmp_path: Path
) -> None:
    arn = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    given = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any-secret"}
    world.repository.commit(
        {"app/secret.yaml": await sealed(tmp_path, "--kms", arn, AWS_ENDPOINT_URL=aws.url, **given)}
    )
    world.environment = {**given, "AWS_ENDPOINT_URL_KMS": aws.url}
    world.declare(kustomization("app", "decryption: {provider: sops}"))
    message = (await world.app()).message
    assert f"app/secret.yaml: no key opens it: kms {arn}: AWS KMS, key {arn}: there is no sops.aws-kms" in message
    assert "the setting decryption.ownIdentity does not name the key" in message
    world.settings = OWN
    world.declare(kustomization("app"))
    assert await arrives(world)

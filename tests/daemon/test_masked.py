"""What logs in is masked from its first use on, in each of its forms; what is public can be named."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import pytest

from gitopsd.daemon import compose, masked
from gitopsd.model.masking import Secrets
from gitopsd.plugin import Access, Tls

pytestmark = pytest.mark.asyncio


def line(authorization: str) -> Access:
    async def headers() -> Mapping[str, str]:
        return {"Authorization": authorization}

    return Access(
        cluster="c", server="https://c", tls=Tls(key=b"-----BEGIN KEY-----\nMIIsecretsecretsecret\n"), headers=headers
    )


async def used(authorization: str) -> Secrets:
    secrets = Secrets()
    found = masked.access(line(authorization), secrets.add)
    assert found.headers is not None
    assert await found.headers() == {"Authorization": authorization}
    return secrets


async def test_a_token_is_masked_once_it_was_used() -> None:
    assert (await used("Bearer eyJhbGciOi.x")).masked("said eyJhbGciOi.x") == "said ***"


async def test_the_password_of_a_basic_login_is_masked_plain_and_encoded() -> None:
    login = base64.b64encode(b"me:correct-horse").decode()
    secrets = await used(f"Basic {login}")
    assert secrets.masked(f"{login} correct-horse me") == "*** *** me"


async def test_a_client_key_is_masked_line_by_line() -> None:
    assert (await used("Bearer another-token")).masked("x MIIsecretsecretsecret y") == "x *** y"


class Plain:
    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        return {"known_hosts": b"github.com ssh-ed25519 AAAA", "password": b"correct-horse"}

    async def config(self, namespace: str, name: str) -> Mapping[str, bytes]:
        return {}


async def test_what_is_public_in_a_secret_can_be_named() -> None:
    secrets = Secrets()
    await masked.MaskedCredentials(Plain(), secrets).secret("a", "b")
    assert secrets.masked("github.com ssh-ed25519 AAAA: correct-horse") == "github.com ssh-ed25519 AAAA: ***"


async def test_of_the_environment_plugins_see_who_one_is_in_a_cloud_and_its_secrets_are_masked_from_the_start() -> None:
    secrets = Secrets()
    environment = {
        "AWS_REGION": "eu-west-1",
        "AWS_SECRET_ACCESS_KEY": "correct-horse",
        "AZURE_CLIENT_ID": "who-it-is",
        "AZURE_CLIENT_CERTIFICATE_PASSWORD": "of-something-else",
        "GOOGLE_APPLICATION_CREDENTIALS": "/etc/key.json",
        "PATH": "/bin",
    }

    found = compose._platform(environment, secrets)

    assert set(found) == {"AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AZURE_CLIENT_ID", "GOOGLE_APPLICATION_CREDENTIALS"}
    assert secrets.masked("correct-horse of who-it-is") == "*** of who-it-is"


async def test_who_an_account_is_in_a_cloud_can_be_named() -> None:
    class Described(Plain):
        async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
            return {"roleArn": b"arn:aws:iam::1:role/reader", "token": b"correct-horse"}

    secrets = Secrets()
    await masked.MaskedCredentials(Described(), secrets).secret("a", "b")
    assert secrets.masked("arn:aws:iam::1:role/reader by correct-horse") == "arn:aws:iam::1:role/reader by ***"

"""Vault's transit engine is asked with the token that comes first, only where it may go, and a token that ended is not used twice."""

from __future__ import annotations

import base64
import json

import pytest
import pytest_asyncio
from aiohttp import web
from fakes import clouds

from gitopsd.plugin import Asker, Keys, Lock, NotReady, Rejected, Transient
from gitopsd.plugin.cloud import Account
from gitopsd.plugin.conformance.key_service import KeyServiceSuite
from gitopsd_plugins.vault.service import Transit

DATA_KEY = bytes(range(32))
OPENED = {"data": {"plaintext": base64.b64encode(DATA_KEY).decode()}}
TOKEN = "s.very-secret-token"
ROBOT = Account(namespace="apps", name="robot")


class TestTransit(KeyServiceSuite):
    service = Transit
    lock = Lock.of(
        "hc_vault",
        {"vault_address": "https://v.example", "engine_path": "transit", "key_name": "main", "enc": "vault:v1:x"},
    )
    unfit = Lock.of("hc_vault", {"vault_address": "gopher://v", "engine_path": "transit", "key_name": "main"})
    held = "sops.vault-token"


@pytest_asyncio.fixture
async def vault():
    """Opens for one token, which a login gives to the role `apps_robot`."""
    async with clouds.serving() as running:
        running.replies = {
            "POST /v1/transit/decrypt/main": lambda asked: (
                web.json_response(OPENED)
                if asked.headers["x-vault-token"] == TOKEN
                else web.json_response({"errors": ["permission denied"]}, status=403)
            ),
            "POST /v1/auth/kubernetes/login": {"auth": {"client_token": TOKEN, "lease_duration": 600}},
        }
        yield running


@pytest.fixture
def home():
    found = clouds.Home()
    found.annotations["apps", "robot"] = {}
    return found


def lock(url: str) -> Lock:
    return Lock.of(
        "hc_vault", {"vault_address": url, "engine_path": "transit", "key_name": "main", "enc": "vault:v1:x"}
    )


def held(**values: str) -> tuple[Keys, ...]:
    found = {f"sops.{name.replace('_', '-')}": value.encode() for name, value in values.items()}
    return (Keys(place="Secret/apps/sops", values=found),)


def instances(address: str) -> dict[str, bytes]:
    return {"config.yaml": f"instances:\n- {{address: {address}/, loginPath: auth/kubernetes/login}}\n".encode()}


async def opened(url: str, asker: Asker, ctx) -> bytes:
    return await Transit().open(lock(url), asker, ctx)


@pytest.mark.asyncio
async def test_the_token_of_the_secret_comes_first(vault, home):
    asker = Asker(keys=held(vault_token=f"{TOKEN}\n"), account=ROBOT, settings=instances(vault.url))
    assert await opened(vault.url, asker, home.context()) == DATA_KEY
    assert json.loads(vault.asked[0].body) == {"ciphertext": "vault:v1:x"}


@pytest.mark.asyncio
async def test_a_refusal_is_said_in_its_words_with_address_and_key(vault, home):
    with pytest.raises(Rejected) as raised:
        await opened(vault.url, Asker(keys=held(vault_token="s.other-token")), home.context())
    assert str(raised.value) == f"Vault {vault.url}, key transit/keys/main answered 403: permission denied"


@pytest.mark.asyncio
async def test_a_vault_that_is_sealed_or_away_is_asked_again_later(vault, home):
    vault.replies = {"POST": web.Response(status=503, text='{"errors": ["Vault is sealed"]}')}
    with pytest.raises(Transient, match="503: Vault is sealed"):
        await opened(vault.url, Asker(keys=held(vault_token=TOKEN)), home.context())
    with pytest.raises(Transient, match=r"Vault http://127\.0\.0\.1:1, key transit/keys/main"):
        await opened("http://127.0.0.1:1", Asker(keys=held(vault_token=TOKEN)), home.context())


@pytest.mark.asyncio
async def test_a_token_goes_to_no_address_that_the_secret_does_not_list(vault, home):
    asker = Asker(keys=held(vault_token=TOKEN, addresses="https://vault.example.org"))
    with pytest.raises(Rejected, match=r"the credentials in Secret/apps/sops\[sops.vault-token\] are not for it"):
        await opened(vault.url, asker, home.context())
    assert vault.asked == []
    listed = Asker(keys=held(vault_token=TOKEN, addresses=f"https://vault.example.org\n{vault.url}/\n"))
    assert await opened(vault.url, listed, home.context()) == DATA_KEY


@pytest.mark.asyncio
async def test_a_service_account_logs_in_with_a_token_for_the_address_once(vault, home):
    ctx, asker = home.context(), Asker(account=ROBOT, settings=instances(vault.url))
    assert [await opened(vault.url, asker, ctx) for _ in range(2)] == [DATA_KEY] * 2
    login = json.loads(vault.asked[0].body)
    assert login == {"role": "apps_robot", "jwt": f"apps/robot for {vault.url}"}
    assert [asked.path for asked in vault.asked].count("/v1/auth/kubernetes/login") == 1
    assert home.issued == [("apps/robot", (vault.url,))]
    assert TOKEN in home.masked


@pytest.mark.asyncio
async def test_a_token_that_ended_before_its_time_is_replaced(vault, home):
    tokens = iter(("s.that-was-revoked", TOKEN))
    vault.replies["POST /v1/auth/kubernetes/login"] = lambda _: web.json_response(
        {"auth": {"client_token": next(tokens), "lease_duration": 600}}
    )
    asker = Asker(account=ROBOT, settings=instances(vault.url))
    assert await opened(vault.url, asker, home.context()) == DATA_KEY


@pytest.mark.asyncio
async def test_accounts_log_in_nowhere_but_where_the_operator_says(vault, home):
    asker = Asker(account=ROBOT, settings=instances("https://vault.example.org"))
    with pytest.raises(Rejected, match=r"ServiceAccount/apps/robot may log in only where .* decryption.configMap"):
        await opened(vault.url, asker, home.context())
    assert (vault.asked, home.issued) == ([], [])


@pytest.mark.asyncio
async def test_an_account_that_nobody_knows_is_named(vault, home):
    stranger = Asker(account=Account(namespace="apps", name="nobody"), settings=instances(vault.url))
    with pytest.raises(NotReady, match="ServiceAccount/apps/nobody"):
        await opened(vault.url, stranger, home.context())


@pytest.mark.asyncio
async def test_gitopsd_itself_is_asked_for_keys_that_the_settings_name(vault, home):
    home.platform = {"VAULT_TOKEN": TOKEN, "VAULT_NAMESPACE": "team"}
    with pytest.raises(Rejected, match=r"there is no sops.vault-token, .* decryption.ownIdentity"):
        await opened(vault.url, Asker(own=("https://vault.example.org/*",)), home.context())
    assert vault.asked == []
    assert await opened(vault.url, Asker(own=(f"{vault.url}/v1/transit/keys/*",)), home.context()) == DATA_KEY
    assert vault.asked[0].headers["x-vault-namespace"] == "team"


@pytest.mark.asyncio
@pytest.mark.parametrize("answer", [{"data": {}}, {}, {"data": {"plaintext": "?"}}])
async def test_an_answer_without_a_plaintext_is_refused(vault, home, answer):
    vault.replies = {"POST": answer}
    with pytest.raises(Rejected, match="answered without a plaintext"):
        await opened(vault.url, Asker(keys=held(vault_token=TOKEN)), home.context())

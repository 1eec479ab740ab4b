"""Entra ID's tokens for AKS clusters, with a login server on loopback that answers as Microsoft's documentation says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from gitopsd.plugin import AccountToken, Context, GitopsdError, Misconfigured, NotReady, Rejected, Transient
from gitopsd_plugins.kubernetes.access.configmap import ConfigMapAccess

pytestmark = pytest.mark.asyncio

CONFIG = {"provider": "azure", "address": "https://aks.example:443", "serviceAccountName": "deployer"}
AKS = "6dae42f8-4368-4678-94ff-3960e28e3630/.default"
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Login:
    """The login server: what it was asked, and what it answers."""

    url: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    status: int = 200
    answer: Mapping[str, Any] = field(default_factory=lambda: {"access_token": "aks-1", "expires_in": 3600})

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        form = {key: str(value) for key, value in (await request.post()).items()}
        self.asked.append((request.path, form))
        return web.json_response(dict(self.answer), status=self.status)


@pytest_asyncio.fixture
async def login() -> AsyncIterator[Login]:
    it = Login()
    runner = web.ServerRunner(web.Server(it.handle))  # type: ignore[arg-type]  # a low-level server hands over the base class
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    it.url = site.name
    yield it
    await runner.cleanup()


@dataclass
class Home:
    """The ConfigMap, and the Secret of the identity; notes what is issued and what is masked."""

    secret_data: Mapping[str, str]
    config_map: Mapping[str, str] = field(default_factory=lambda: dict(CONFIG))
    now: datetime = START
    issued: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    masked: list[bytes] = field(default_factory=list)

    async def config(self, namespace: str, name: str) -> Mapping[str, bytes]:
        return {key: text.encode() for key, text in self.config_map.items()}

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        if (namespace, name) != ("team", "deployer") or not self.secret_data:
            raise NotReady(f"Secret/{namespace}/{name} not found")
        return {key: text.encode() for key, text in self.secret_data.items()}

    async def issue(self, namespace: str, account: str, audiences: Sequence[str]) -> AccountToken:
        self.issued.append((namespace, account, tuple(audiences)))
        return AccountToken(value="of the account", expires=self.now + timedelta(hours=1))


Ask = Callable[[Home], Any]


@pytest.fixture
def ask(ctx: Context) -> Ask:
    """What is sent to the cluster, and where that is."""

    async def asked(home: Home) -> tuple[str, str]:
        there = replace(ctx, credentials=home, issue=home.issue, now=lambda: home.now, conceal=home.masked.append)
        async with ConfigMapAccess().open("x", {"namespace": "team", "name": "remote"}, there) as access:
            assert access.headers is not None
            first = dict(await access.headers())["Authorization"]
            assert dict(await access.headers())["Authorization"] == first
            home.now += timedelta(minutes=55)
            await access.headers()
            return access.server, first

    return asked


def identity(login: Login, **more: str) -> dict[str, str]:
    return {"tenantId": "tenant", "clientId": "client", "authorityHost": login.url + "/", **more}


async def test_a_clients_secret_is_exchanged_for_a_token_of_aks_which_is_renewed(login: Login, ask: Ask) -> None:
    home = Home(identity(login, clientSecret="s3cret"))
    assert await ask(home) == ("https://aks.example:443", "Bearer aks-1")
    form = {"grant_type": "client_credentials", "client_id": "client", "scope": AKS, "client_secret": "s3cret"}
    assert login.asked == [("/tenant/oauth2/v2.0/token", form)] * 2
    assert home.issued == []
    assert home.masked == [b"aks-1"] * 2


@pytest.mark.parametrize("given", [{}, {"token": "from a file"}], ids=["issued", "in the Secret"])
async def test_without_one_a_token_of_the_service_account_is(login: Login, ask: Ask, given: dict[str, str]) -> None:
    home = Home(identity(login, **given))
    await ask(home)
    _, form = login.asked[0]
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert form["client_assertion"] == given.get("token", "of the account")
    assert "client_secret" not in form
    wanted = [] if given else [("team", "deployer", ("api://AzureADTokenExchange",))] * 2
    assert home.issued == wanted


@pytest.mark.parametrize(
    ("status", "answer", "error", "words"),
    [
        (401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid secret.\nTrace"}, Rejected, "AADSTS7000215"),
        (400, {"error": "unauthorized_client"}, Rejected, "unauthorized_client"),
        (503, {}, Transient, "HTTP 503"),
        (429, {"error": "slow_down"}, Transient, "slow_down"),
        (302, {}, Rejected, "HTTP 302"),
        (200, {"token_type": "Bearer"}, Rejected, "no token in the answer"),
    ],
)  # fmt: skip
async def test_a_refusal_has_entras_words_and_never_the_secret(
    login: Login, ask: Ask, status: int, answer: dict[str, str], error: type[GitopsdError], words: str
) -> None:
    login.status, login.answer = status, answer
    with pytest.raises(error) as caught:
        await ask(Home(identity(login, clientSecret="s3cret")))
    assert "Secret/team/deployer" in str(caught.value)
    assert words in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"tenantId": ""}, Misconfigured, "Secret/team/deployer lacks the key tenantId"),
        ({"clientId": ""}, Misconfigured, "lacks the key clientId"),
        ({"authorityHost": "http://login.example"}, Misconfigured, "is not an https address"),
        ({"authorityHost": "http://127.0.0.1:1"}, Transient, "http://127.0.0.1:1 gave no token"),
    ],
)
async def test_what_is_missing_or_wrong_in_the_identity_is_named(
    login: Login, ask: Ask, change: dict[str, str], error: type[GitopsdError], words: str
) -> None:
    with pytest.raises(error) as caught:
        await ask(Home({**identity(login, clientSecret="s3cret"), **change}))
    assert words in str(caught.value)
    assert login.asked == []


async def test_without_the_secret_the_app_waits_for_it(ask: Ask) -> None:
    with pytest.raises(NotReady, match="Secret/team/deployer not found"):
        await ask(Home({}))

"""ConfigMaps that describe a cluster: whose token is sent where, where it comes from, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from gitopsd.plugin import Access, AccountToken, Context, GitopsdError, Misconfigured, NotReady, Rejected
from gitopsd.plugin.context import UNREADABLE
from gitopsd_plugins.kubernetes.access.configmap import ConfigMapAccess

GOOD = {"provider": "generic", "address": "https://remote:6443", "serviceAccountName": "deployer"}
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Home:
    """The declared ConfigMap `team/remote`, Secrets by name, and a cluster that issues tokens when there is one."""

    config_map: Mapping[str, str]
    secrets: dict[str, dict[str, bytes]] = field(default_factory=dict)
    issuer: bool = True
    unreadable: bool = False
    now: datetime = START
    asked: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)

    async def config(self, namespace: str, name: str) -> Mapping[str, bytes]:
        if (namespace, name) != ("team", "remote"):
            raise NotReady(f"ConfigMap/{namespace}/{name} not found")
        return {key: text.encode() for key, text in self.config_map.items()}

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        if self.unreadable:
            raise NotReady("the folder cannot be read", reason=UNREADABLE)
        if namespace != "team" or name not in self.secrets:
            raise NotReady(f"Secret/{namespace}/{name} not found: no such document")
        return self.secrets[name]

    async def issue(self, namespace: str, account: str, audiences: Sequence[str]) -> AccountToken:
        if not self.issuer:
            raise NotReady("no cluster issues tokens")
        self.asked.append((namespace, account, tuple(audiences)))
        await anyio.lowlevel.checkpoint()
        return AccountToken(value=f"issued-{len(self.asked)}", expires=self.now + timedelta(hours=1))


class Opened:
    def __init__(self, ctx: Context, home: Home, name: str = "remote") -> None:
        self._ctx = replace(ctx, credentials=home, issue=home.issue, now=lambda: home.now)
        self._spec = {"namespace": "team", "name": name}

    async def access(self) -> Access:
        async with ConfigMapAccess().open("x", self._spec, self._ctx) as access:
            return access


async def sent(access: Access) -> str:
    assert access.headers is not None
    return dict(await access.headers())["Authorization"]


@pytest.mark.asyncio
async def test_a_token_of_the_named_account_is_made_out_to_the_address(ctx: Context) -> None:
    home = Home({**GOOD, "ca.crt": "the CA"})
    access = await Opened(ctx, home).access()
    assert (access.server, access.tls.ca) == ("https://remote:6443", b"the CA")
    assert await sent(access) == "Bearer issued-1"
    assert home.asked == [("team", "deployer", ("https://remote:6443",))]


@pytest.mark.asyncio
async def test_audiences_are_written_one_a_line(ctx: Context) -> None:
    home = Home({**GOOD, "audiences": "one\n  two \n\n"})
    await sent(await Opened(ctx, home).access())
    assert home.asked == [("team", "deployer", ("one", "two"))]


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("Remote.Example", "https://remote.example:443"),
        ("https://remote:6443/", "https://remote:6443"),
        ("https://[::1]:6443", "https://[::1]:6443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ],
)
@pytest.mark.asyncio
async def test_an_address_is_taken_as_flux_takes_it(ctx: Context, written: str, canonical: str) -> None:
    assert (await Opened(ctx, Home({**GOOD, "address": written})).access()).server == canonical


@pytest.mark.asyncio
async def test_a_token_is_used_by_all_requests_and_renewed_before_it_ends(ctx: Context) -> None:
    home = Home(GOOD)
    access = await Opened(ctx, home).access()
    tokens: list[str] = []

    async def ask() -> None:
        tokens.append(await sent(access))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(ask)
    assert tokens == ["Bearer issued-1"] * 5
    home.now += timedelta(minutes=40)
    assert await sent(access) == "Bearer issued-1"
    home.now += timedelta(minutes=15)
    assert await sent(access) == "Bearer issued-2"
    assert access.expire is not None
    access.expire()
    assert await sent(access) == "Bearer issued-3"


@pytest.mark.asyncio
async def test_a_token_in_the_home_comes_first_and_is_read_again(ctx: Context) -> None:
    home = Home(GOOD, secrets={"deployer": {"token": b"mine\n"}})
    access = await Opened(ctx, home).access()
    assert await sent(access) == "Bearer mine"
    home.secrets["deployer"]["token"] = b"renewed"
    assert await sent(access) == "Bearer mine"
    home.now += timedelta(minutes=2)
    assert await sent(access) == "Bearer renewed"
    assert home.asked == []


@pytest.mark.asyncio
async def test_a_secret_that_is_there_and_useless_is_no_reason_to_look_elsewhere(ctx: Context) -> None:
    with pytest.raises(Misconfigured, match="Secret/team/deployer lacks the key token"):
        await sent(await Opened(ctx, Home(GOOD, secrets={"deployer": {"password": b"x"}})).access())
    home = Home(GOOD, unreadable=True)
    with pytest.raises(NotReady, match="the folder cannot be read"):
        await sent(await Opened(ctx, home).access())
    assert home.asked == []


@pytest.mark.asyncio
async def test_without_secret_and_issuer_both_are_named(ctx: Context) -> None:
    with pytest.raises(NotReady) as caught:
        await sent(await Opened(ctx, Home(GOOD, issuer=False)).access())
    assert "no cluster issues tokens" in str(caught.value)
    assert "Secret/team/deployer not found" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"provider": ""}, Misconfigured, "ConfigMap/team/remote lacks the key provider"),
        ({"provider": "ibm"}, Misconfigured, "provider 'ibm' is not one of generic, aws, azure, gcp"),
        ({"serviceAccountName": ""}, Misconfigured, "lacks the key serviceAccountName"),
        ({"address": ""}, Misconfigured, "lacks the key address"),
        ({"address": "http://remote:8080"}, Misconfigured, "is not the https address"),
        ({"address": "https://user:pw@remote"}, Misconfigured, "is not the https address"),
        ({"address": "https://remote:port"}, Misconfigured, "is not the address of a server"),
        ({"address": "file:///etc/passwd"}, Misconfigured, "is not the https address"),
    ],
)
@pytest.mark.asyncio
async def test_what_cannot_be_meant_is_named(
    ctx: Context, change: dict[str, str], error: type[GitopsdError], words: str
) -> None:
    home = Home({**GOOD, **change})
    with pytest.raises(error) as caught:
        await Opened(ctx, home).access()
    assert words in str(caught.value)
    assert home.asked == []


@pytest.mark.asyncio
async def test_a_config_map_that_is_not_there_is_waited_for(ctx: Context) -> None:
    with pytest.raises(NotReady, match="ConfigMap/team/other not found"):
        await Opened(ctx, Home(GOOD), name="other").access()


@pytest.mark.asyncio
async def test_what_the_issuer_says_is_passed_on(ctx: Context) -> None:
    class Refusing(Home):
        async def issue(self, namespace: str, account: str, audiences: Sequence[str]) -> AccountToken:
            raise Rejected("serviceaccounts/token is forbidden")

    with pytest.raises(Rejected, match="serviceaccounts/token is forbidden"):
        await sent(await Opened(ctx, Refusing(GOOD)).access())

"""Proxies, trust and origins, before anything is sent."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from gitopsd.model.errors import Misconfigured
from gitopsd.plugin import egress
from gitopsd.plugin.egress import Egress
from gitopsd.plugin.http import Http, Proxies, Tls, same_origin


@pytest.mark.parametrize(
    ("url", "rule", "direct"),
    [
        ("https://git.example.com/x", "example.com", True),
        ("https://git.example.com/x", ".example.com", True),
        ("https://git.example.com/x", "*.example.com", True),
        ("https://example.com/x", "example.com", True),
        ("https://badexample.com/x", "example.com", False),
        ("https://git.example.com:8443/x", "git.example.com:8443", True),
        ("https://git.example.com/x", "git.example.com:8443", False),
        ("https://10.1.2.3:6443", "10.0.0.0/8", True),
        ("https://11.1.2.3:6443", "10.0.0.0/8", False),
        ("https://[fd00::1]:6443", "fd00::/8", True),
        ("https://git.example.com/x", "10.0.0.0/8", False),
        ("https://anything/x", "*", True),
    ],
)
def test_no_proxy_knows_hosts_domains_ports_and_ranges(url: str, rule: str, direct: bool) -> None:
    proxies = Proxies(https="http://proxy:3128", no_proxy=(rule,))
    assert proxies.for_url(url) == ("" if direct else "http://proxy:3128")


def test_each_scheme_has_its_proxy_and_none_means_a_direct_connection() -> None:
    http = Http(proxies=Proxies(http="http://one", https="http://two"))
    assert (http.proxy("http://x"), http.proxy("https://x")) == ("http://one", "http://two")
    assert Http().proxy("https://x") is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a/x", "https://a/y?z", True),
        ("https://a", "http://a", False),
        ("https://a", "https://b", False),
        ("https://a", "https://a:8443", False),
        ("https://a", "https://a.b", False),
        ("https://a", "https://a:443", True),
        ("ssh://git@a/x", "ssh://a:22/y", True),
    ],
)
def test_credentials_are_for_one_scheme_host_and_port(one: str, other: str, same: bool) -> None:
    assert same_origin(one, other) is same


def test_a_server_is_checked_unless_the_user_says_otherwise() -> None:
    checked, unchecked = Http().trust(Tls()), Http().trust(Tls(insecure=True))
    assert (checked.check_hostname, checked.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert unchecked.verify_mode == ssl.CERT_NONE


@pytest.mark.parametrize("tls", [Tls(ca=b"no certificate"), Tls(certificate=b"no", key=b"no")])
def test_certificates_that_do_not_parse_are_a_mistake_of_the_user(tls: Tls) -> None:
    with pytest.raises(Misconfigured, match="certificate"):
        Http().trust(tls)


def test_a_missing_bundle_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="CA certificates cannot be read"):
        Http(ca_file=str(tmp_path / "none.pem")).trust(Tls())


def test_neither_keys_nor_certificates_are_shown() -> None:
    assert "secret" not in repr(Tls(key=b"secret", certificate=b"secret", ca=b"secret"))


@pytest_asyncio.fixture
async def here() -> AsyncIterator[str]:
    """A server on loopback."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="here")

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


@pytest.mark.asyncio
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_session_keeps_to_public_addresses_where_the_setting_says_so(here: str, host: str) -> None:
    http = Http(egress=Egress(private=False))

    async with http.session() as session:
        with pytest.raises(aiohttp.ClientConnectionError) as caught:
            await session.get(here.replace("127.0.0.1", host))

    assert "is no public address" in egress.why(caught.value)


@pytest.mark.asyncio
async def test_a_cluster_that_the_user_named_is_reached_all_the_same(here: str) -> None:
    async with Http(egress=Egress(private=False)).session(anywhere=True) as session, session.get(here) as response:
        assert await response.text() == "here"

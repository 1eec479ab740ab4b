"""The proxy on loopback that keeps libraries within bounds which connect by themselves."""

from __future__ import annotations

import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes.certificate import self_signed
from fakes.forward_proxy import forward_proxy
from fakes.web_server import Site, web_server

from gitopsd.plugin import egress
from gitopsd.plugin.egress import Egress, ForbiddenAddress
from gitopsd.plugin.sources import gate
from gitopsd.plugin.sources.gate import Gate

OPEN = Egress(private=False, allowed=("127.0.0.0/8",))


@pytest.fixture
def site() -> Iterator[Site]:
    with web_server(Site(files={"/a": b"x" * 3_000_000})) as served:
        yield served


def get(through: Gate, url: str, trust: Path | None = None) -> bytes:
    """As a library would, which knows of proxies and of nothing else."""
    context = ssl.create_default_context(cafile=str(trust)) if trust else None
    proxies = urllib.request.ProxyHandler({"http": through.url, "https": through.url})
    opener = urllib.request.build_opener(proxies, urllib.request.HTTPSHandler(context=context))
    with opener.open(url, timeout=10) as response:
        body: bytes = response.read()
        return body


def test_plain_requests_pass(site: Site) -> None:
    with gate.opened(OPEN, timeout=5.0) as opened:
        assert get(opened, f"{site.url}/a?b=c") == site.files["/a"]

    assert opened.problem is None


def test_encryption_goes_through_from_end_to_end(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, ca=False)
    with (
        web_server(Site(files={"/a": b"secret"}), (certificate, key)) as site,
        gate.opened(OPEN, timeout=5.0) as opened,
    ):
        assert get(opened, f"{site.url}/a", certificate) == b"secret"


def test_address_out_of_bounds_is_never_connected_to(site: Site) -> None:
    with gate.opened(Egress(private=False), timeout=5.0) as opened, pytest.raises(urllib.error.HTTPError, match="403"):
        get(opened, f"{site.url}/a")

    assert isinstance(opened.problem, ForbiddenAddress)
    assert site.asked == []


def test_host_that_nobody_named_is_never_connected_to(site: Site, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, ca=False)
    only = ("127.0.0.1", int(site.url.rpartition(":")[2]))
    with web_server(Site(files={"/a": b"x"}), (certificate, key)) as other:
        site.redirects["/b"] = f"{other.url}/a"
        with gate.opened(Egress(), timeout=5.0, only=only) as opened:
            assert get(opened, f"{site.url}/a") == site.files["/a"]
            with pytest.raises(OSError, match="403"):
                get(opened, f"{site.url}/b", certificate)

    assert isinstance(opened.problem, gate.Elsewhere)
    assert other.asked == []


@pytest.mark.parametrize("kind", ["http", "https"])
def test_encryption_goes_through_a_proxy_of_either_kind(tmp_path: Path, kind: str) -> None:
    certificate, key = self_signed(tmp_path, ca=False)
    tls = (certificate, key)
    with (
        web_server(Site(files={"/a": b"x" * 3_000_000}), tls) as site,
        forward_proxy(kind, "ada:hush", tls if kind == "https" else None) as proxy,
        gate.opened(Egress(), timeout=5.0, proxy=with_login(proxy.url), ca_file=str(certificate)) as opened,
    ):
        assert get(opened, f"{site.url}/a", certificate) == site.files["/a"]

    assert opened.problem is None
    assert proxy.logins == ["ada:hush"]


def test_proxy_that_is_not_trusted_is_not_spoken_to(site: Site, tmp_path: Path) -> None:
    with (
        forward_proxy("https", tls=self_signed(tmp_path, ca=False)) as proxy,
        gate.opened(Egress(), timeout=5.0, proxy=proxy.url) as opened,
        pytest.raises(urllib.error.HTTPError, match="502"),
    ):
        get(opened, f"{site.url}/a")

    assert isinstance(opened.problem, ssl.SSLError)
    assert site.asked == []


def with_login(url: str) -> str:
    return url.replace("://", "://ada:hush@")


def test_answer_in_clear_is_told_to_be_the_last_of_its_connection(site: Site) -> None:
    """A server that keeps silent about that would have the library send its next request into a closed line."""
    with gate.opened(OPEN, timeout=5.0) as opened:
        host, port = opened.url.rpartition("@")[2].split(":")
        with socket.create_connection((host, int(port))) as client:
            head = b"GET %s/a HTTP/1.1\r\nProxy-Authorization: %s\r\n\r\n"
            client.sendall(head % (site.url.encode(), opened.login))
            answer = b"".join(iter(lambda: client.recv(1 << 20), b""))

    assert b"\r\nConnection: close\r\n" in answer.partition(b"\r\n\r\n")[0] + b"\r\n"
    assert answer.endswith(site.files["/a"])


@pytest.mark.parametrize("login", ["", "gitopsd:guessed@"])
def test_nobody_else_gets_through(site: Site, login: str) -> None:
    with gate.opened(OPEN, timeout=5.0) as opened:
        opened.url = f"http://{login}{opened.url.rpartition('@')[2]}"
        with pytest.raises(urllib.error.HTTPError, match="407"):
            get(opened, f"{site.url}/a")

    assert site.asked == []


def test_login_of_the_gate_goes_no_further(site: Site) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    with taken, gate.opened(OPEN, timeout=5.0) as opened:
        host, port = opened.url.rpartition("@")[2].split(":")
        with socket.create_connection((host, int(port))) as client:
            target = f"http://127.0.0.1:{taken.getsockname()[1]}/x"
            client.sendall(b"GET %s HTTP/1.1\r\nProxy-Authorization: %s\r\n\r\n" % (target.encode(), opened.login))
            there, _ = taken.accept()
            with there:
                assert there.recv(1000) == b"GET /x HTTP/1.1\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [b"", b"\r\n\r\n", b"GET\r\n\r\n", b"x" * 200_000, b"GET http://[x HTTP/1.1\r\n\r\n", b"\xff \xff \xff\r\n\r\n"],
)
def test_what_is_no_request_ends_there(site: Site, head: bytes) -> None:
    with gate.opened(OPEN, timeout=2.0) as opened:
        host, port = opened.url.rpartition("@")[2].split(":")
        with socket.create_connection((host, int(port))) as client:
            assert said_to(client, head) in {
                b"",
                b"HTTP/1.1 407 Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            }
        assert get(opened, f"{site.url}/a") == site.files["/a"]


def said_to(client: socket.socket, head: bytes) -> bytes:
    """What the gate answers; nothing, where it cut the connection, be it before all of `head` was sent."""
    try:
        client.sendall(head)
        client.shutdown(socket.SHUT_WR)
        return client.recv(1000)
    except OSError:
        return b""


def test_url_is_pinned_to_the_address_that_was_checked() -> None:
    assert egress.pinned("http://a:b@localhost:3128", OPEN).startswith("http://a:b@127.0.0.1:3128")
    with pytest.raises(ForbiddenAddress):
        egress.pinned("http://localhost:3128", Egress(private=False))


Lookup = Callable[..., list[tuple[object, ...]]]


def test_name_that_means_another_address_each_time_never_leads_out_of_bounds(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(site.url.rpartition(":")[2])
    answers = iter(["127.0.0.2", "127.0.0.1"] * 10)

    def flipping(host: str, asked: int, **options: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), asked))]

    monkeypatch.setattr(socket, "getaddrinfo", flipping)
    bounds = Egress(private=False, allowed=("127.0.0.1/32",))
    with gate.opened(bounds, timeout=5.0) as opened:
        with pytest.raises(ForbiddenAddress, match=r"127\.0\.0\.2"):
            opened.connect("flips.example.org", port)
        opened.connect("flips.example.org", port).close()

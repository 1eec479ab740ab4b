"""The way to a repository: proxies of the spec and of the environment, and addresses that the settings forbid."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.certificate import self_signed
from fakes.forward_proxy import forward_proxy
from fakes.git_server import http_server, ssh_server

from gitopsd.plugin import Http, NotReady, Proxies, Rejected, Transient
from gitopsd.plugin.egress import Egress

HOST = "git.nowhere.example"


@pytest.fixture(params=["http", "socks5"])
def proxy(request):
    with forward_proxy(request.param) as running:
        yield running


@pytest.fixture
def hidden(repo):
    """A server that is known by a name to the proxy only."""
    with http_server(repo.path) as server:
        port = int(server.url.split(":")[2].partition("/")[0])
        yield server, port, server.url.replace("127.0.0.1", HOST)


def _secret(world, proxy, **more):
    world.secrets.data["proxy"] = {"address": proxy.url.encode(), **more}


@pytest.mark.asyncio
async def test_polls_and_fetches_go_through_the_proxy_of_the_spec(world, repo, read, proxy, hidden, contents):
    server, port, url = hidden
    proxy.names[HOST] = ("127.0.0.1", port)
    _secret(world, proxy)
    repo.commit({"a": "1"})

    _, stored = await world.sync(read({"url": url, "ref": {"branch": "main"}, "proxySecretRef": {"name": "proxy"}}))

    assert contents(world.store, stored.tree) == {"a": b"1"}
    assert set(proxy.asked) == {f"{HOST}:{port}"}
    assert {method for method, _, _ in server.behaviour.requests} == {"GET", "POST"}


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_proxy_is_told_who_asks(world, repo, read, hidden, kind):
    _, port, url = hidden
    repo.commit({"a": "1"})
    with forward_proxy(kind, login="ada:p@ss:word") as proxy:
        proxy.names[HOST] = ("127.0.0.1", port)
        _secret(world, proxy, username=b"ada", password=b"p@ss:word")

        await world.sync(read({"url": url, "ref": {"branch": "main"}, "proxySecretRef": {"name": "proxy"}}))

    assert set(proxy.logins) == {"ada:p@ss:word"}


@pytest.mark.asyncio
async def test_proxy_of_the_spec_wins_over_the_environment(world, repo, read, proxy, hidden):
    _, port, url = hidden
    proxy.names[HOST] = ("127.0.0.1", port)
    _secret(world, proxy)
    repo.commit({"a": "1"})
    world.ctx = replace(world.ctx, http=Http(proxies=Proxies(http="http://127.0.0.1:1", no_proxy=("*",))))

    await world.sync(read({"url": url, "ref": {"branch": "main"}, "proxySecretRef": {"name": "proxy"}}))

    assert proxy.asked


@pytest.mark.asyncio
async def test_proxy_of_the_environment_serves_where_none_is_named(world, repo, read, proxy, hidden):
    _, port, url = hidden
    proxy.names[HOST] = ("127.0.0.1", port)
    repo.commit({"a": "1"})
    world.ctx = replace(world.ctx, http=Http(proxies=Proxies(http=proxy.url)))

    await world.sync(read({"url": url, "ref": {"branch": "main"}}))

    assert proxy.asked


@pytest.mark.asyncio
async def test_ssh_goes_through_the_proxy_too(world, repo, read, proxy, contents):
    repo.commit({"a": "1"})
    with ssh_server(repo.path) as server:
        _secret(world, proxy)
        world.secrets.data["key"] = {"identity": server.identity.encode(), "known_hosts": server.known_hosts.encode()}

        spec = {"url": server.url, "ref": {"branch": "main"}, "secretRef": {"name": "key"}}
        _, stored = await world.sync(read({**spec, "proxySecretRef": {"name": "proxy"}}))

    assert contents(world.store, stored.tree) == {"a": b"1"}
    assert proxy.asked


@pytest.mark.asyncio
@pytest.mark.parametrize("scheme", ["http", "ssh"])
async def test_proxy_may_be_encrypted_itself(world, repo, read, tmp_path, contents, scheme):
    repo.commit({"a": "1"})
    tls = self_signed(tmp_path / "tls", ca=False)
    world.ctx = replace(world.ctx, http=Http(ca_file=str(tls[0])))
    server = http_server(repo.path) if scheme == "http" else ssh_server(repo.path)
    with server as running, forward_proxy("https", "ada:hush", tls) as proxy:
        _secret(world, proxy, username=b"ada", password=b"hush")
        spec = {"url": running.url, "ref": {"branch": "main"}, "proxySecretRef": {"name": "proxy"}}
        if scheme == "ssh":
            keys = {"identity": running.identity.encode(), "known_hosts": running.known_hosts.encode()}
            world.secrets.data["key"] = keys
            spec["secretRef"] = {"name": "key"}

        _, stored = await world.sync(read(spec))
        await world.source.close()

    assert contents(world.store, stored.tree) == {"a": b"1"}
    assert set(proxy.logins) == {"ada:hush"}


@pytest.mark.asyncio
@pytest.mark.parametrize("address", ["", "proxy.example:3128", "ftp://proxy.example", "http://", "http://proxy:port"])
async def test_secret_that_names_no_proxy_is_refused(world, read, address):
    world.secrets.data["proxy"] = {"address": address.encode()}

    with pytest.raises(Rejected, match="address must be http://, https:// or socks5://"):
        await world.sync(read({"proxySecretRef": {"name": "proxy"}}))


@pytest.mark.asyncio
async def test_missing_proxy_secret_is_waited_for(world, read):
    with pytest.raises(NotReady, match="not found"):
        await world.sync(read({"proxySecretRef": {"name": "proxy"}}))


@pytest.mark.asyncio
async def test_proxy_that_is_down_is_transient_and_its_password_unsaid(world, read):
    world.secrets.data["proxy"] = {"address": b"socks5://127.0.0.1:1", "username": b"ada", "password": b"hush-hush"}

    with pytest.raises(Transient, match="cannot be reached") as caught:
        await world.sync(read({"proxySecretRef": {"name": "proxy"}}))

    assert "hush-hush" not in str(caught.value)


# Addresses


@pytest.fixture
def bounded(world):
    """Only public addresses, and these networks."""

    def bound(*allowed, **http):
        world.ctx = replace(world.ctx, http=Http(egress=Egress(private=False, allowed=allowed), **http))

    return bound


@pytest.mark.asyncio
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_private_address_is_refused_before_a_byte_is_sent(world, repo, read, bounded, hidden, host):
    server, _, url = hidden
    bounded()

    with pytest.raises(Rejected, match=r"is no public address, .*network\.privateAddresses"):
        await world.sync(read({"url": url.replace(HOST, host)}))

    assert server.behaviour.requests == []


@pytest.mark.asyncio
async def test_fetch_in_the_worker_is_bounded_too(world, repo, read, bounded, hidden):
    _, _, url = hidden
    bounded()

    with pytest.raises(Rejected, match="is no public address"):
        await world.sync(read({"url": url.replace(HOST, "localhost"), "ref": {"commit": "a" * 40}}))


@pytest.mark.asyncio
async def test_ssh_is_bounded_too(world, repo, read, bounded):
    with ssh_server(repo.path) as server:
        world.secrets.data["key"] = {"identity": server.identity.encode(), "known_hosts": server.known_hosts.encode()}
        bounded()

        with pytest.raises(Rejected, match="is no public address"):
            await world.sync(read({"url": server.url, "secretRef": {"name": "key"}}))


@pytest.mark.asyncio
async def test_allowed_network_is_reached(world, repo, read, bounded, hidden, contents):
    _, _, url = hidden
    repo.commit({"a": "1"})
    bounded("127.0.0.0/8")

    _, stored = await world.sync(read({"url": url.replace(HOST, "127.0.0.1"), "ref": {"branch": "main"}}))

    assert contents(world.store, stored.tree) == {"a": b"1"}


@pytest.mark.asyncio
@pytest.mark.parametrize("target", ["http://192.168.1.1/latest", "http://[fd00::1]/x", "http://10.1.2.3/x"])
async def test_redirect_to_a_forbidden_address_is_refused(world, repo, read, bounded, hidden, target):
    server, _, url = hidden
    server.behaviour.redirect = target
    bounded("127.0.0.0/8")

    with pytest.raises(Rejected, match="is no public address"):
        await world.sync(read({"url": url.replace(HOST, "127.0.0.1")}))


@pytest.mark.asyncio
async def test_redirect_of_a_fetch_is_bounded_too(world, repo, read, bounded, hidden):
    server, _, url = hidden
    server.behaviour.redirect = "http://10.1.2.3/latest"
    bounded("127.0.0.0/8")

    with pytest.raises(Rejected, match=r"10\.1\.2\.3 is no public address"):
        await world.sync(read({"url": url.replace(HOST, "127.0.0.1"), "ref": {"commit": "a" * 40}}))


@pytest.mark.asyncio
async def test_operators_own_proxy_may_be_private(world, repo, read, bounded, proxy, hidden):
    _, port, url = hidden
    proxy.names[HOST] = ("127.0.0.1", port)
    repo.commit({"a": "1"})
    bounded(proxies=Proxies(http=proxy.url))

    await world.sync(read({"url": url, "ref": {"branch": "main"}}))

    assert proxy.asked


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["http", "socks5"])
@pytest.mark.parametrize("ref", [{"branch": "main"}, {"commit": "a" * 40}])
async def test_proxy_of_a_spec_may_not(world, repo, read, bounded, hidden, kind, ref):
    _, _, url = hidden
    bounded()
    with forward_proxy(kind) as proxy:
        _secret(world, proxy)

        with pytest.raises(Rejected, match="is no public address"):
            await world.sync(read({"url": url, "ref": ref, "proxySecretRef": {"name": "proxy"}}))

    assert proxy.asked == []


@pytest.mark.asyncio
@pytest.mark.parametrize("ref", [{"branch": "main"}, {"commit": "a" * 40}])
async def test_address_written_out_is_refused_behind_a_proxy_too(world, read, bounded, proxy, ref):
    bounded(proxies=Proxies.everywhere(proxy.url))

    for url in ("http://169.254.169.254/x", "http://10.1.2.3/x", "http://[::1]/x"):
        with pytest.raises(Rejected, match="is no public address"):
            await world.sync(read({"url": url, "ref": ref}))

    assert proxy.asked == []

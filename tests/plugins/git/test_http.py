"""Git over http: credentials, redirects, certificates, and servers that misbehave."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from fakes.git_server import Behaviour, http_server

from gitopsd.plugin import Http, Proxies, Rejected, Transient

FILES = {"a.yaml": "a: 1\n"}
TOKEN = "s3cr3t-t0ken"


@pytest.fixture
def certificate(tmp_path):
    """A certificate for 127.0.0.1 that signs itself, and its key: two files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = tmp_path / "tls.crt", tmp_path / "tls.key"
    files[0].write_bytes(made.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def _secret(world, **keys):
    world.secrets.data["token"] = {key.replace("_", "."): value.encode() for key, value in keys.items()}


def _spec(url):
    return {"url": url, "ref": {"branch": "main"}, "secretRef": {"name": "token"}}


@pytest.mark.asyncio
@pytest.mark.parametrize("modern", [True, False])
async def test_basic_credentials_open_a_private_repository(world, repo, read, contents, modern):
    repo.commit(FILES)
    _secret(world, username="ada", password=TOKEN)
    with http_server(repo.path, Behaviour(modern=modern, username="ada", password=TOKEN)) as server:
        _, stored = await world.sync(read(_spec(server.url)))

    assert contents(world.store, stored.tree) == {"a.yaml": b"a: 1\n"}


@pytest.mark.asyncio
async def test_bearer_token_opens_a_private_repository(world, repo, read):
    repo.commit(FILES)
    _secret(world, bearerToken=f"{TOKEN}\n")
    with http_server(repo.path, Behaviour(bearer=TOKEN)) as server:
        _, stored = await world.sync(read(_spec(server.url)))

    assert stored.files == 1


@pytest.mark.asyncio
async def test_credentials_of_the_url_are_used_and_never_shown(world, repo, read):
    repo.commit(FILES)
    with http_server(repo.path, Behaviour(username="ada", password=TOKEN)) as server:
        intent = read({"url": server.url.replace("http://", f"http://ada:{TOKEN}@"), "ref": {"branch": "main"}})
        _, stored = await world.sync(intent)
        server.behaviour.status = 500
        with pytest.raises(Transient) as caught:
            await world.sync(intent)

    assert stored.files == 1
    assert TOKEN not in f"{caught.value} {intent} {intent.spec}"


@pytest.mark.asyncio
async def test_wrong_credentials_name_the_field_and_no_secret(world, repo, read):
    repo.commit(FILES)
    _secret(world, username="ada", password="wrong-" + TOKEN)
    with (
        http_server(repo.path, Behaviour(username="ada", password=TOKEN)) as server,
        pytest.raises(Rejected) as caught,
    ):
        await world.sync(read(_spec(server.url)))

    expected = f"GitRepository/flux-system/app: {server.url} refused the credentials (401); check spec.secretRef"
    assert str(caught.value) == expected
    assert caught.value.reason == "AuthenticationFailed"


@pytest.mark.asyncio
async def test_private_repository_without_secret_asks_for_one(world, repo, read):
    with (
        http_server(repo.path, Behaviour(username="ada", password=TOKEN)) as server,
        pytest.raises(Rejected, match=r"asks for credentials \(401\); set spec\.secretRef"),
    ):
        await world.sync(read({"url": server.url}))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"bearerToken": TOKEN, "username": "x", "password": "y"}, "bearerToken as well as username"),
        ({"password": TOKEN}, "password without username"),
        ({"tls_crt": "x"}, r"tls\.crt and tls\.key together"),
        ({"bearerToken": f"{TOKEN}\nX-Evil: 1"}, "several lines"),
    ],
)
async def test_contradictory_secret_is_named_without_its_values(world, read, keys, message):
    _secret(world, **keys)

    with pytest.raises(Rejected, match=message) as caught:
        await world.source.resolve(read(_spec("https://git.example.org/app")), world.ctx)

    assert TOKEN not in str(caught.value)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (403, Rejected, "asks for credentials (403)"),
        (404, Rejected, "no repository at"),
        (429, Transient, "asked again later"),
        (503, Transient, "asked again later"),
        (418, Rejected, "answered 418"),
    ],
)
async def test_status_decides_what_happens_next(world, repo, read, status, kind, words):
    behaviour = Behaviour(status=status, headers={"Retry-After": "7"} if kind is Transient else {})
    with http_server(repo.path, behaviour) as server, pytest.raises(kind) as caught:
        await world.source.resolve(read({"url": server.url}), world.ctx)

    assert words in str(caught.value)
    assert server.url in str(caught.value)
    if kind is Transient:
        assert caught.value.retry_after == 7.0


@pytest.mark.asyncio
async def test_redirect_to_another_origin_loses_the_credentials(world, repo, read):
    repo.commit(FILES)
    _secret(world, username="ada", password=TOKEN)
    with http_server(repo.path) as target, http_server(repo.path, Behaviour(redirect=target.url)) as server:
        intent = read(_spec(server.url))
        _, stored = await world.sync(intent)
        await world.source.resolve(intent, world.ctx)

    assert stored.files == 1
    assert all(authorization for _, _, authorization in server.behaviour.requests)
    assert {authorization for _, _, authorization in target.behaviour.requests} == {""}
    assert {method for method, _, _ in server.behaviour.requests} == {"GET"}


@pytest.mark.asyncio
async def test_redirect_within_the_origin_keeps_the_credentials(world, repo, read):
    repo.commit(FILES)
    _secret(world, username="ada", password=TOKEN)
    with http_server(repo.path, Behaviour(username="ada", password=TOKEN)) as server:
        server.behaviour.redirect = server.url.replace("app.git", "moved.git")
        _, stored = await world.sync(read(_spec(server.url)))

    assert stored.files == 1


@pytest.mark.asyncio
async def test_endless_redirects_end(world, repo, read):
    with http_server(repo.path) as server:
        server.behaviour.redirect = "/else/../app.git"
        with pytest.raises(Rejected, match="redirects more than"):
            await world.source.resolve(read({"url": server.url}), world.ctx)


@pytest.mark.asyncio
async def test_redirect_out_of_encryption_is_refused(world, repo, read, certificate):
    repo.commit(FILES)
    _secret(world, ca_crt=certificate[0].read_text())
    with (
        http_server(repo.path) as plain,
        http_server(repo.path, Behaviour(redirect=plain.url), certificate) as server,
        pytest.raises(Rejected, match="redirects from https to http"),
    ):
        await world.source.resolve(read(_spec(server.url)), world.ctx)

    assert plain.behaviour.requests == []


@pytest.mark.asyncio
async def test_ca_of_the_secret_is_trusted(world, repo, read, certificate):
    repo.commit(FILES)
    _secret(world, ca_crt=certificate[0].read_text())
    with http_server(repo.path, tls=certificate) as server:
        _, stored = await world.sync(read(_spec(server.url)))

    assert stored.files == 1


@pytest.mark.asyncio
async def test_unknown_certificate_is_refused_with_the_remedy(world, repo, read, certificate):
    with http_server(repo.path, tls=certificate) as server, pytest.raises(Rejected) as caught:
        await world.source.resolve(read({"url": server.url}), world.ctx)

    assert f"{server.url}: the certificate is not trusted: " in str(caught.value)
    assert "ca.crt" in str(caught.value)


@pytest.mark.asyncio
async def test_unreachable_host_is_transient(world, read):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(Transient, match=f"http://127.0.0.1:{port}/app: cannot be reached"):
        await world.source.resolve(read({"url": f"http://127.0.0.1:{port}/app"}), world.ctx)


@pytest.mark.asyncio
async def test_unreachable_host_is_no_silent_one_in_the_worker_either(world, read):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/app"

    with pytest.raises(Transient, match=f"{url}: cannot be reached"):
        await world.sync(read({"url": url, "ref": {"commit": "a" * 40}}))


@pytest.mark.asyncio
async def test_silent_server_runs_into_the_timeout(world, read):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/app"

        with pytest.raises(Transient, match=r"no answer within 0\.08 s; see spec\.timeout"):
            await world.source.resolve(read({"url": url, "timeout": "100ms"}), world.ctx)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(kind="text/html", body=b"<html>please log in"),
        Behaviour(body=b"zzzz"),
        Behaviour(body=b"ffff"),
        Behaviour(body=b"0010ERR gone\x00\x1b[2J"),
        Behaviour(body=b"0001" * 9 + b"001fnot an oid refs/heads/master"),
    ],
)
async def test_answer_that_is_not_git_is_one_clear_error(world, repo, read, behaviour):
    with http_server(repo.path, behaviour) as server, pytest.raises(Rejected) as caught:
        await world.source.resolve(read({"url": server.url}), world.ctx)

    assert server.url in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.asyncio
async def test_proxy_of_the_environment_is_used(world, repo, read):
    repo.commit(FILES)
    with http_server(repo.path) as server:
        proxy = server.url.removesuffix("/team/app.git")
        world.ctx = replace(world.ctx, http=Http(proxies=Proxies(http=proxy)))
        await world.source.resolve(
            read({"url": "http://git.example.org/team/app.git", "ref": {"branch": "main"}}), world.ctx
        )

    assert server.behaviour.requests[0][1].startswith("http://git.example.org/")


@pytest.mark.asyncio
async def test_client_certificate_of_the_secret_is_shown(world, repo, read, certificate):
    repo.commit(FILES)
    text = {key: file.read_text() for key, file in zip(("tls_crt", "tls_key"), certificate, strict=True)}
    _secret(world, ca_crt=text["tls_crt"], **text)
    with http_server(repo.path, tls=certificate, clients=certificate[0]) as server:
        _, stored = await world.sync(read(_spec(server.url)))
        _secret(world, ca_crt=text["tls_crt"])
        with pytest.raises((Rejected, Transient)):
            await world.source.resolve(read(_spec(server.url)), world.ctx)

    assert stored.files == 1

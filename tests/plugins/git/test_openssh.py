"""Git over ssh against OpenSSH itself: keys, known hosts, and one connection for many polls."""

from __future__ import annotations

import anyio
import pytest
from fakes.git_packs import OFS, REF, kinds
from fakes.open_ssh import open_ssh

from gitopsd.plugin import Rejected

SECRET = {"name": "key"}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with open_ssh(tmp_path_factory.mktemp("server") / "ssh") as server:
        yield server


@pytest.fixture
def server(running):
    """The server, which has let nobody in yet."""
    running.forget()
    return running


@pytest.fixture
def intent(world, repo, read, server):
    """A GitRepository on the server, opened with these keys."""

    def asked(kind="ed25519", *, passphrase="", password="", known=("ed25519",), hashed=False, bits=None, **ref):
        world.secrets.data["key"] = {
            "identity": server.identity(kind, passphrase, bits).encode(),
            "known_hosts": server.known_hosts(*known, hashed=hashed).encode(),
            **({"password": password.encode()} if password else {}),
        }
        return read({"url": server.address(repo.path), "secretRef": SECRET, "ref": ref or {"branch": "main"}})

    return asked


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("kind", "bits"), [("ed25519", None), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521), ("rsa", 2048)]
)
async def test_every_sort_of_key_opens_a_repository(world, repo, intent, contents, kind, bits):
    repo.commit({"a": "1"})

    _, stored = await world.sync(intent(kind, bits=bits))

    assert contents(world.store, stored.tree) == {"a": b"1"}


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
async def test_key_with_a_passphrase_needs_it(world, repo, intent, kind):
    repo.commit({"a": "1"})

    await world.sync(intent(kind, passphrase="hush-hush", password="hush-hush"))

    with pytest.raises(Rejected, match="identity has a passphrase; add it as the key password"):
        await world.sync(intent(kind, passphrase="hush-hush"))
    with pytest.raises(Rejected, match="or password is not its passphrase") as caught:
        await world.sync(intent(kind, passphrase="hush-hush", password="wrong-one"))
    assert "wrong-one" not in str(caught.value)


@pytest.mark.asyncio
@pytest.mark.parametrize("known", [("ed25519",), ("ecdsa",), ("rsa",), ("rsa", "ecdsa")])
@pytest.mark.parametrize("hashed", [False, True])
async def test_host_is_known_by_any_of_its_keys(world, repo, intent, known, hashed):
    repo.commit({"a": "1"})

    await world.sync(intent(known=known, hashed=hashed))


@pytest.mark.asyncio
async def test_host_with_one_key_is_found_among_several_known_ones(world, repo, read, tmp_path):
    repo.commit({"a": "1"})
    with open_ssh(tmp_path / "one", hosts=("rsa",)) as one:
        stranger = "[127.0.0.1]:%d ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n"
        known = stranger % one.port + one.known_hosts("rsa")
        world.secrets.data["key"] = {"identity": one.identity("ed25519").encode(), "known_hosts": known.encode()}

        await world.sync(read({"url": one.address(repo.path), "secretRef": SECRET, "ref": {"branch": "main"}}))


@pytest.mark.asyncio
async def test_differences_name_their_base_by_its_place(world, repo, intent, tmp_path):
    repo.commit({f"{n}.yaml": "".join(f"line {m}\n" for m in range(n, n + 200)) for n in range(9)})

    await world.sync(intent())

    found = kinds(tmp_path / "cache")
    assert found[OFS] > 4
    assert not found[REF]


@pytest.mark.asyncio
async def test_polls_share_one_connection(world, repo, intent, server):
    commit = repo.commit({"a": "1"})
    asked = intent()

    for _ in range(5):
        revision = await world.source.resolve(asked, world.ctx)
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(world.source.resolve, asked, world.ctx)

    assert str(revision) == f"main@sha1:{commit}"
    assert server.logins == 1


@pytest.mark.asyncio
async def test_poll_sees_what_was_pushed_after_the_last_one(world, repo, intent):
    asked = intent(name="refs/heads/main")
    for text in ("1", "2"):
        commit = repo.commit({"a": text})
        assert str(await world.source.resolve(asked, world.ctx)).endswith(commit)


@pytest.mark.asyncio
async def test_connection_that_the_host_ended_is_opened_anew(world, repo, intent, server):
    repo.commit({"a": "1"})
    asked = intent()
    await world.source.resolve(asked, world.ctx)
    for line in list(world.source._ssh._lines.values()):
        line.transport.sock.close()

    await world.source.resolve(asked, world.ctx)

    assert server.logins == 2


@pytest.mark.asyncio
async def test_another_identity_has_a_connection_of_its_own(world, repo, intent, server):
    repo.commit({"a": "1"})

    await world.source.resolve(intent(), world.ctx)
    await world.source.resolve(intent("ecdsa"), world.ctx)

    assert server.logins == 2


@pytest.mark.asyncio
async def test_closed_source_holds_no_connection_and_may_be_used_again(world, repo, intent, server):
    repo.commit({"a": "1"})
    asked = intent()
    await world.source.resolve(asked, world.ctx)

    await world.source.close()
    await world.source.resolve(asked, world.ctx)

    assert server.logins == 2


@pytest.mark.asyncio
async def test_server_that_takes_no_environment_is_asked_in_the_old_protocol(world, repo, read, tmp_path, contents):
    commit = repo.commit({"a": "1"})
    repo.tag("v1.0.0", commit, annotated=True)
    with open_ssh(tmp_path / "old", hosts=("ed25519",), modern=False) as old:
        known = old.known_hosts("ed25519").encode()
        world.secrets.data["key"] = {"identity": old.identity("ed25519").encode(), "known_hosts": known}

        _, stored = await world.sync(
            read({"url": old.address(repo.path), "secretRef": SECRET, "ref": {"semver": "1.x"}})
        )

    assert contents(world.store, stored.tree) == {"a": b"1"}


@pytest.mark.asyncio
async def test_repository_that_is_not_there_is_named(world, repo, read, server, intent):
    intent()
    address = server.address(repo.path.parent / "it's not here.git")

    with pytest.raises(Rejected, match=r"no repository at .*does not appear to be a git repository"):
        await world.source.resolve(read({"url": address.replace(" ", "%20"), "secretRef": SECRET}), world.ctx)

"""Git over ssh, against a server on loopback."""

from __future__ import annotations

import pytest
from fakes.git_server import ssh_server

from gitopsd.plugin import Rejected, Transient

SECRET = {"name": "key"}


@pytest.fixture
def served(world, repo):
    """The server with its Secret in place."""
    with ssh_server(repo.path) as server:
        world.secrets.data["key"] = {"identity": server.identity.encode(), "known_hosts": server.known_hosts.encode()}
        yield server


def _change(world, **keys):
    world.secrets.data["key"] = {**world.secrets.data["key"], **keys}


@pytest.mark.asyncio
async def test_files_come_over_ssh_and_the_next_commit_too(world, repo, read, served, contents):
    repo.commit({"a": "1", "b": "2"})
    intent = read({"url": served.url, "secretRef": SECRET, "ref": {"branch": "main"}})
    revision, stored = await world.sync(intent)
    commit = repo.commit({"a": "3"})

    second, tree = await world.sync(intent, world.artifact(intent, revision, stored))

    assert contents(world.store, tree.tree) == {"a": b"3", "b": b"2"}
    assert str(second) == f"main@sha1:{commit}"


@pytest.mark.asyncio
async def test_unknown_host_key_is_refused_before_anything_is_sent(world, repo, read, served):
    repo.commit({"a": "1"})
    _change(
        world,
        known_hosts=b"example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n",
    )

    with pytest.raises(Rejected, match=r"known_hosts does not hold for \[127\.0\.0\.1\]"):
        await world.sync(read({"url": served.url, "secretRef": SECRET}))

    assert served.commands == []


@pytest.mark.asyncio
async def test_another_host_key_is_refused(world, repo, read, served):
    with ssh_server(repo.path) as other:
        port = served.url.rpartition(":")[2].partition("/")[0]
        _, kind, key = other.known_hosts.split()
        _change(world, known_hosts=f"[127.0.0.1]:{port} {kind} {key}\n".encode())

        with pytest.raises(Rejected, match="another key than known_hosts holds"):
            await world.sync(read({"url": served.url, "secretRef": SECRET}))


@pytest.mark.asyncio
async def test_strangers_key_is_refused_with_the_remedy(world, repo, read, served):
    with ssh_server(repo.path) as other:
        _change(world, identity=other.identity.encode())

        with pytest.raises(Rejected, match=r"refused the key of 'git'; check identity in spec\.secretRef") as caught:
            await world.sync(read({"url": served.url, "secretRef": SECRET}))

    assert caught.value.reason == "AuthenticationFailed"


@pytest.mark.asyncio
@pytest.mark.parametrize("key", ["identity", "known_hosts"])
async def test_incomplete_secret_names_the_key(world, read, served, key):
    _change(world, **{key: b""})

    with pytest.raises(Rejected, match=f"flux-system/key lacks the key {key}"):
        await world.sync(read({"url": served.url, "secretRef": SECRET}))


@pytest.mark.asyncio
async def test_identity_that_is_no_key_is_named_without_its_text(world, read, served):
    _change(world, identity=b"-----BEGIN NONSENSE-----\nhush\n")

    with pytest.raises(Rejected, match="identity is no private key") as caught:
        await world.sync(read({"url": served.url, "secretRef": SECRET}))

    assert "hush" not in str(caught.value)


@pytest.mark.asyncio
async def test_ssh_without_secret_says_what_is_needed(world, read):
    with pytest.raises(Rejected, match=r"needs spec\.secretRef with the keys identity and known_hosts"):
        await world.sync(read({"url": "ssh://git@127.0.0.1/app.git"}))


@pytest.mark.asyncio
async def test_missing_repository_is_named(world, read, served):
    with pytest.raises(Rejected, match=r"no repository at .*other\.git"):
        await world.sync(read({"url": served.url.replace("app.git", "other.git"), "secretRef": SECRET}))


@pytest.mark.asyncio
async def test_unreachable_host_is_transient(world, repo, read, served):
    url = served.url.replace("127.0.0.1", "127.0.0.2")

    with pytest.raises(Transient, match="cannot be reached"):
        await world.sync(read({"url": url, "secretRef": SECRET}))

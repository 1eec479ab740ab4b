"""Repositories that no honest git would make, and limits on what any may bring."""

from __future__ import annotations

import os

import pytest
from dulwich.objects import Blob, ShaFile, Tree
from dulwich.repo import Repo
from fakes.git_repository import Link, Submodule
from fakes.git_server import http_server

from gitopsd.plugin import Rejected
from gitopsd_plugins.git import content, job, order
from gitopsd_plugins.git.credentials import Access
from gitopsd_plugins.git.order import FetchOrder, Limits, Remote


def _tree(repo, *entries):
    """A raw tree of (mode, name, object name in hex): no check is made."""
    raw = b"".join(b"%o %s\0" % (mode, name) + bytes.fromhex(oid) for mode, name, oid in entries)
    with Repo(str(repo.path)) as opened:
        tree = ShaFile.from_raw_string(Tree.type_num, raw)
        opened.object_store.add_object(tree)
        return tree.id.decode()


def _blob(repo, data=b"x"):
    with Repo(str(repo.path)) as opened:
        blob = Blob.from_string(data)
        opened.object_store.add_object(blob)
        return blob.id.decode()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "name",
    [
        b"..",
        b".",
        b".git",
        b".GIT",
        b".Git",
        b"git~1",
        b"GIT~1",
        b".git.",
        b".git ",
        b".git::$INDEX_ALLOCATION",
        ".g\u200cit".encode(),
        b"a/b",
        b"\xff\xfe",
        b"x" * 256,
    ],
)
async def test_name_that_no_repository_may_hold_is_refused(world, repo, read, name):
    repo.commit_tree(_tree(repo, (0o100644, name, _blob(repo))).encode())

    with pytest.raises(Rejected) as caught:
        await world.sync(read({"url": repo.url, "ref": {"branch": "main"}, "ignore": "/*"}))

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


@pytest.mark.asyncio
@pytest.mark.parametrize("name", [".gitignore", ".gitmodules", ".github/x", "git~10", "a b", "c:d", "ünï", "-x", "*"])
async def test_odd_but_honest_names_are_fine(world, repo, read, contents, name):
    repo.commit({name: "1"})

    _, stored = await world.sync(read({"url": repo.url, "ref": {"branch": "main"}, "ignore": "!**"}))

    assert contents(world.store, stored.tree) == {name: b"1"}


@pytest.mark.asyncio
async def test_name_given_twice_is_refused(world, repo, read):
    one, other = _blob(repo), _blob(repo, b"y")
    repo.commit_tree(_tree(repo, (0o100644, b"a", one), (0o100644, b"a", other)).encode())

    with pytest.raises(Rejected, match="named twice"):
        await world.sync(read({"url": repo.url, "ref": {"branch": "main"}}))


@pytest.mark.asyncio
async def test_name_that_is_file_and_folder_is_refused(world, repo, read):
    blob = _blob(repo)
    inner = _tree(repo, (0o100644, b"x", blob))
    repo.commit_tree(_tree(repo, (0o120000, b"a", _blob(repo, b"/etc")), (0o40000, b"a", inner)).encode())

    with pytest.raises(Rejected, match="named twice"):
        await world.sync(read({"url": repo.url, "ref": {"branch": "main"}}))


@pytest.mark.asyncio
async def test_deep_folders_end(world, repo, read):
    tree = _tree(repo, (0o100644, b"x", _blob(repo)))
    for _ in range(150):
        tree = _tree(repo, (0o40000, b"d", tree))
    repo.commit_tree(tree.encode())

    with pytest.raises(Rejected, match="deeper than 100"):
        await world.sync(read({"url": repo.url, "ref": {"branch": "main"}}))


@pytest.mark.asyncio
@pytest.mark.parametrize("bottom", ["a file", "nothing"])
async def test_tree_bomb_ends_by_its_number_of_entries(world, repo, read, bottom):
    tree = _tree(repo, *([(0o100644, b"x", _blob(repo))] if bottom == "a file" else []))
    for _ in range(12):
        tree = _tree(repo, *((0o40000, b"%02d" % n, tree) for n in range(40)))
    repo.commit_tree(tree.encode())

    with pytest.raises(Rejected, match="more than 250,000 files and folders"):
        await world.sync(read({"url": repo.url, "ref": {"branch": "main"}}))


@pytest.mark.asyncio
async def test_links_stay_entries_however_they_point(world, repo, read):
    repo.commit({"up": Link("../../etc/passwd"), "root": Link("/etc/passwd"), "self": Link("self")})

    _, stored = await world.sync(read({"url": repo.url, "ref": {"branch": "main"}}))

    targets = {name: entry.target for name, entry in world.store.node(stored.tree).items()}
    assert targets == {"up": "../../etc/passwd", "root": "/etc/passwd", "self": "self"}


@pytest.mark.asyncio
async def test_submodule_that_becomes_a_file_and_back(world, repo, read, contents):
    repo.commit({"a": Submodule("a" * 40), "x": "1"})
    intent = read({"url": repo.url, "ref": {"branch": "main"}})
    base = world.artifact(intent, *await world.sync(intent))
    repo.commit({"a": "file"})
    file = world.artifact(intent, *await world.sync(intent, base))
    repo.commit({"a": Submodule("b" * 40)})
    gone = world.artifact(intent, *await world.sync(intent, file))

    assert contents(world.store, file.tree) == {"a": b"file", "x": b"1"}
    assert contents(world.store, gone.tree) == {"x": b"1"}


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(file=1 << 20), "big.bin: more than 1 MiB"),
        (Limits(total=1 << 20), "more than 1 MiB of files"),
        (Limits(entries=1), "more than 1 files and folders"),
        (Limits(download=1 << 20), "sent more than 1 MiB for one commit"),
    ],
)
def test_limits_are_errors_with_the_remedy(world, repo, read, tmp_path, limits, words):
    commit = repo.commit({"big.bin": os.urandom(2 << 20), "a": "1"})
    with http_server(repo.path) as server:
        place = read({"url": server.url}).spec.address
        given = FetchOrder(
            remote=Remote(address=place, access=Access()),
            cache=str(tmp_path / "cache"),
            commit=commit,
            ref="refs/heads/main",
            limits=limits,
        )

        with pytest.raises(Rejected, match=words):
            job.fetch(order.encode(given), world.store)


def test_lfs_pointers_are_known_by_their_first_line():
    assert content.LFS.endswith(b"/spec/")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "name", ["refs/heads/../../../x", "../../etc/passwd", "refs/heads/.git", "-x", "refs/heads/a\x07b"]
)
@pytest.mark.parametrize("modern", [True, False])
async def test_ref_that_is_named_to_escape_is_refused(world, repo, read, name, modern):
    repo.commit({"a": "1"})
    with http_server(repo.path) as server:
        server.behaviour.listed = name
        server.behaviour.modern = modern

        with pytest.raises(Rejected, match="a ref with a name that Git does not allow") as caught:
            await world.sync(read({"url": server.url, "ref": {"branch": "main"}}))

    assert server.url in str(caught.value)
    assert "\x07" not in str(caught.value)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest",
        "http://[::ffff:169.254.169.254]/x",
        "http://metadata.google.internal/x",
        "http://[fe80::1]/",
    ],
)
@pytest.mark.parametrize("ref", [{"branch": "main"}, {"commit": "a" * 40}])
async def test_redirect_to_a_metadata_address_is_never_followed(world, repo, read, target, ref):
    with http_server(repo.path) as server:
        server.behaviour.redirect = target

        with pytest.raises(Rejected, match="an address of this machine's own link"):
            await world.sync(read({"url": server.url, "ref": ref}))

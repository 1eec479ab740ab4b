"""The cache of repositories: private, small, and of no consequence when it is damaged or gone."""

from __future__ import annotations

import gc
import os
import shutil
import stat
import subprocess
import sys

import pytest
from fakes.git_server import Behaviour, http_server

from gitopsd_plugins.git import cache
from gitopsd_plugins.git.credentials import Access
from gitopsd_plugins.git.order import Remote

FILES = {f"f{n}.yaml": "".join(f"{n * k * 7919 % 10007}\n" for k in range(200)) for n in range(20)}


@pytest.fixture
def served(repo):
    with http_server(repo.path) as server:
        yield server


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache" / "git"


async def _twice(world, repo, read, served, between):
    """Fetch, do something to the cache, commit, fetch again: the second tree."""
    repo.commit(FILES)
    intent = read({"url": served.url, "ref": {"branch": "main"}})
    base = world.artifact(intent, *await world.sync(intent))
    between()
    repo.commit({"new.yaml": "x"})
    _, stored = await world.sync(intent, base)
    return stored


def _damage(folder):
    for pack in folder.glob("*.git/objects/pack/*.pack"):
        os.chmod(pack, 0o600)
        data = bytearray(pack.read_bytes())
        for at in range(40, len(data) - 40, 7):
            data[at] ^= 0xFF
        pack.write_bytes(data)


@pytest.mark.asyncio
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # dulwich leaves a damaged pack open
@pytest.mark.parametrize("harm", ["gone", "damaged pack", "no index", "torn head", "empty"])
async def test_harm_to_the_cache_costs_a_fetch_and_nothing_else(world, repo, read, served, folder, contents, harm):
    def between():
        match harm:
            case "gone":
                shutil.rmtree(folder)
            case "damaged pack":
                _damage(folder)
            case "no index":
                for index in folder.glob("*.git/objects/pack/*.idx"):
                    index.unlink()
            case "torn head":
                for head in folder.glob("*.git/HEAD"):
                    head.write_bytes(b"\0\0")
            case _:
                for bare in folder.glob("*.git"):
                    shutil.rmtree(bare)
                    bare.mkdir()

    stored = await _twice(world, repo, read, served, between)
    gc.collect()

    assert contents(world.store, stored.tree) == {**{k: v.encode() for k, v in FILES.items()}, "new.yaml": b"x"}


@pytest.mark.asyncio
async def test_second_fetch_brings_the_difference_only(world, repo, read, served, folder):
    def size():
        return sorted(pack.stat().st_size for pack in folder.glob("*.git/objects/pack/*.pack"))

    sizes = []
    await _twice(world, repo, read, served, lambda: sizes.append(size()))

    assert len(size()) == 2
    assert size()[0] < sizes[0][0] / 2


@pytest.mark.asyncio
async def test_cache_is_for_its_owner_alone_and_shows_no_address(world, repo, read, served, folder):
    await _twice(world, repo, read, served, lambda: None)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
    text = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file() and "objects" not in file.parts)
    assert b"127.0.0.1" not in text


@pytest.mark.asyncio
async def test_other_credentials_have_another_cache(world, repo, read, folder):
    repo.commit(FILES)
    with http_server(repo.path, Behaviour(username="ada", password="one")) as server:
        for password in ("one", "two"):
            server.behaviour.password = password
            world.secrets.data["token"] = {"username": b"ada", "password": password.encode()}
            await world.sync(read({"url": server.url, "ref": {"branch": "main"}, "secretRef": {"name": "token"}}))

    assert len(list(folder.glob("*.git"))) == 2


def test_cache_that_has_grown_is_begun_anew(tmp_path):
    folder = tmp_path / "x.git"
    with cache.opened(folder, 100):
        (folder / "objects" / "pack" / "x.pack").write_bytes(b"x" * 101)

    with cache.opened(folder, 100):
        assert not (folder / "objects" / "pack" / "x.pack").exists()


def test_cache_that_nobody_used_for_weeks_is_removed(tmp_path, read):
    def hold(url):
        remote = Remote(address=read({"url": url}).spec.address, access=Access())
        with cache.held(tmp_path, remote, complete=False) as folder:
            folder.mkdir(exist_ok=True)
            return folder

    old = hold("https://a.example/x")
    os.utime(old.with_suffix(".lock"), (0, 0))

    new = hold("https://b.example/x")

    assert new.is_dir()
    assert not old.exists()


def test_importing_the_plugin_imports_nothing_heavy():
    code = (
        "import sys, gitopsd_plugins.git; "
        "print([m for m in ('dulwich', 'paramiko', 'cryptography', 'aiohttp', 'urllib3') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"

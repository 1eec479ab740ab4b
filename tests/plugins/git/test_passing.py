"""A first fetch takes files while their pack is read for the first time, whatever order git sends them in."""

from __future__ import annotations

import random
import shutil

import pytest
from fakes.git_repository import Link, Program
from fakes.git_server import backend_server
from fakes.signing import SshSigner

from gitopsd.plugin import Rejected, VerificationFailed
from gitopsd.plugin.conformance.source import CountingIntake
from gitopsd.plugin.sources import ignore
from gitopsd_plugins.git import passing

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(shutil.which("git") is None, reason="needs git, whose order of objects this is about"),
]

FILES = {
    "a.yaml": "a: 1\n",
    "deploy/one.yaml": "one: 1\n",
    "deploy/link": Link("one.yaml"),
    "deploy/run.sh": Program("echo\n"),
    "deploy/same/x.yaml": "x: 1\n",
    "other/same/x.yaml": "x: 1\n",
    "vendor/lib.yaml": "lib: 1\n",
    "vendor/photo.jpg": "jpg",
}


class Calls(CountingIntake):
    """Counts how many contents each call brings."""

    def __init__(self, intake):
        super().__init__(intake)
        self.counts = []

    def add(self, contents):
        before = len(self.added)
        files = super().add(contents)
        self.counts.append(len(self.added) - before)
        return files


@pytest.fixture(params=["tagged", "untagged"])
def fetched(request, world, repo, read, tmp_path):
    """Fetches the last commit from git's own server: with a tag git sends directories first, without one they are mixed."""

    async def fetch(spec=None):
        if request.param == "tagged":
            tip = repo.commit({})
            repo.tag("v1", tip)
        world.work.intake = calls = Calls(world.store)
        with backend_server(tmp_path) as url:
            _, stored = await world.sync(
                read({"url": f"{url}/{repo.path.name}", "ref": {"branch": "main"}, **(spec or {})})
            )
        return stored, calls

    return fetch


@pytest.fixture
def from_folder(world, repo, read):
    """What the same commit brings where nothing passes."""

    async def fetch(spec=None):
        return (await world.sync(read({"url": repo.url, "ref": {"branch": "main"}, **(spec or {})})))[1]

    return fetch


async def test_every_file_is_taken_on_its_way(repo, fetched, from_folder):
    repo.commit(FILES)
    stored, calls = await fetched()

    assert calls.counts == [6]  # x.yaml once, and the picture, which is small
    assert stored.tree == (await from_folder()).tree


async def test_what_the_source_leaves_out_is_never_taken(repo, fetched, from_folder):
    repo.commit(FILES)
    spec = {"ignore": "/*\n!/deploy\n"}
    stored, calls = await fetched(spec)

    assert sorted(calls.added) == [b"echo\n", b"one: 1\n", b"x: 1\n"]
    assert stored.tree == (await from_folder(spec)).tree


async def test_what_an_ignore_file_leaves_out_is_never_taken(repo, fetched, from_folder):
    repo.commit(
        {**FILES, ignore.FILE: "/vendor\n", "deploy/.sourceignore": "run.sh\n", "other/.sourceignore": "run.sh\n"}
    )
    stored, calls = await fetched()

    assert not {b"lib: 1\n", b"jpg", b"echo\n"} & set(calls.added)
    assert stored.tree == (await from_folder()).tree


async def test_only_the_directories_that_are_asked_for_are_taken(repo, fetched, from_folder):
    repo.commit(FILES)
    spec = {"sparseCheckout": ["deploy/same"]}
    stored, calls = await fetched(spec)

    assert calls.added == [b"x: 1\n"]
    assert stored.tree == (await from_folder(spec)).tree


async def test_a_link_whose_target_is_also_a_file_stays_a_link(repo, fetched, from_folder):
    repo.commit({"a": "target", "b": Link("target")})
    stored, _ = await fetched()

    assert stored.tree == (await from_folder()).tree


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.yaml": "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n"}, "a.yaml: a Git LFS pointer"),
        ({ignore.FILE: "é" * (ignore.MAX_BYTES // 2 + 1)}, ".sourceignore: more than 1 MiB"),
    ],
)
async def test_what_must_not_be_stored_is_refused_as_ever(repo, fetched, files, words):
    repo.commit({**FILES, **files})

    with pytest.raises(Rejected, match=words):
        await fetched()


async def test_with_many_ignore_files_the_rest_is_read_afterwards(repo, fetched, from_folder, monkeypatch):
    monkeypatch.setattr(passing, "MAX_IGNORE_FILES", 2)
    more = {
        f"dir-{number}/{name}": text
        for number in range(9)
        for name, text in ((".sourceignore", f"{number}"), ("0", ""))
    }
    repo.commit({**FILES, **more})
    stored, calls = await fetched()

    assert calls.counts[0] < calls.counts[1]
    assert stored.tree == (await from_folder()).tree


@pytest.mark.parametrize("trusted", [True, False])
async def test_nothing_is_taken_of_a_commit_that_is_not_verified(world, repo, read, tmp_path, trusted):
    signer, other = SshSigner(tmp_path / "ssh"), SshSigner(tmp_path / "other")
    repo.commit(FILES, sign=(signer if trusted else other).sign)
    world.secrets.data["keys"] = {"ada.sshpub": signer.public.encode()}
    world.work.intake = calls = Calls(world.store)
    spec = {"ref": {"branch": "main"}, "verify": {"mode": "HEAD", "secretRef": {"name": "keys"}}}
    with backend_server(tmp_path) as url:
        intent = read({"url": f"{url}/{repo.path.name}", **spec})
        if trusted:
            await world.sync(intent)
        else:
            with pytest.raises(VerificationFailed):
                await world.sync(intent)

    assert len(calls.added) == (6 if trusted else 0)


@pytest.mark.parametrize("seed", range(8))
async def test_any_repository_is_stored_as_if_nothing_had_passed(repo, fetched, from_folder, seed):
    chance = random.Random(seed)
    names = ["+early", "a", "b", "z", ".github", "photo.jpg"]
    for _ in range(2):  # two packs' worth, of which only the last commit is sent
        files = {}
        for number in range(60):
            parent = "/".join(chance.choices(names[:5], k=chance.randint(0, 3)))
            name = chance.choice([*names, f"f{number}", ".sourceignore"])
            text = chance.choice(["a\n", "/b\n", "!z\n", "*.jpg\n", "same\n", f"{number}\n"])
            files[f"{parent}/{name}".lstrip("/")] = text
        taken = {path for path in files if any(other.startswith(f"{path}/") for other in files)}
        repo.commit({path: text for path, text in files.items() if path not in taken}, orphan=True)
        repo.files.clear()
    stored, _ = await fetched()

    assert stored.tree == (await from_folder()).tree

"""Repositories made and served by git itself, where it is found: what its wire and its files really look like."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from fakes.git_packs import OFS, REF, kinds
from fakes.git_server import backend_server

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")

ENVIRONMENT = {
    "PATH": os.environ.get("PATH", ""),
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}


class Checkout:
    """A work tree with git."""

    def __init__(self, path):
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments):
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, env=ENVIRONMENT, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, files):
        for name, data in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        self.git("add", "-A")
        self.git("commit", "-qm", "a change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path / "work")


@pytest.fixture(params=["http", "folder", "packed folder"])
def served(request, checkout, tmp_path):
    if request.param == "http":
        with backend_server(tmp_path) as url:
            yield f"{url}/work/.git"
        return
    if request.param == "packed folder":
        original = checkout.commit

        def commit(files):
            found = original(files)
            checkout.git("gc", "-q")
            return found

        checkout.commit = commit
    yield f"file://{checkout.path}"


FILES = {f"dir{n % 7}/file{n}.yaml": b"kind: ConfigMap\nn: %d\n" % n * 20 for n in range(60)}


@pytest.mark.asyncio
async def test_commits_of_git_come_as_they_are_and_the_next_is_small(world, checkout, served, read, contents):
    first = checkout.commit(FILES)
    intent = read({"url": served, "ref": {"branch": "main"}})
    revision, stored = await world.sync(intent)
    second = checkout.commit({"dir0/file0.yaml": b"kind: Secret\n", "new.yaml": b"x"})

    next_revision, tree = await world.sync(intent, world.artifact(intent, revision, stored))

    assert (str(revision), str(next_revision)) == (f"main@sha1:{first}", f"main@sha1:{second}")
    assert contents(world.store, stored.tree) == FILES
    assert contents(world.store, tree.tree) == {**FILES, "dir0/file0.yaml": b"kind: Secret\n", "new.yaml": b"x"}


@pytest.mark.asyncio
async def test_differences_name_their_base_by_its_place(world, checkout, read, tmp_path):
    checkout.commit({f"{n}.yaml": b"".join(b"line %d\n" % m for m in range(n, n + 200)) for n in range(9)})
    checkout.git("gc", "-q")
    with backend_server(tmp_path) as url:
        await world.sync(read({"url": f"{url}/work/.git", "ref": {"branch": "main"}}))

    found = kinds(tmp_path / "cache")
    assert found[OFS] > 4
    assert not found[REF]


@pytest.mark.asyncio
async def test_tags_of_git(world, checkout, served, read):
    first = checkout.commit({"a": b"1"})
    checkout.git("tag", "-a", "v1.0.0", "-m", "release")
    second = checkout.commit({"a": b"2"})
    checkout.git("tag", "v1.1.0")

    annotated, _ = await world.sync(read({"url": served, "ref": {"tag": "v1.0.0"}}))
    newest, _ = await world.sync(read({"url": served, "ref": {"semver": ">=1.0.0"}}))

    assert str(annotated) == f"v1.0.0@sha1:{first}"
    assert str(newest) == f"v1.1.0@sha1:{second}"


@pytest.mark.asyncio
async def test_old_commit_of_git_and_its_branch(world, checkout, served, read, contents):
    old = checkout.commit({"a": b"1"})
    for n in range(5):
        checkout.commit({"a": b"%d" % n, "b": b"x"})

    alone, stored = await world.sync(read({"url": served, "ref": {"commit": old}}))
    on_branch, _ = await world.sync(read({"url": served, "ref": {"commit": old, "branch": "main"}}))

    assert (str(alone), str(on_branch)) == (f"sha1:{old}", f"main@sha1:{old}")
    assert contents(world.store, stored.tree) == {"a": b"1"}


@pytest.mark.asyncio
async def test_rewritten_branch_is_followed(world, checkout, served, read, contents):
    checkout.commit({"a": b"1", "b": b"2"})
    intent = read({"url": served, "ref": {"branch": "main"}})
    revision, stored = await world.sync(intent)
    checkout.git("checkout", "-q", "--orphan", "fresh")
    checkout.git("rm", "-rqf", ".")
    checkout.commit({"c": b"3"})
    checkout.git("branch", "-M", "main")

    _, second = await world.sync(intent, world.artifact(intent, revision, stored))

    assert contents(world.store, second.tree) == {"c": b"3"}


@pytest.mark.asyncio
async def test_many_increments_keep_working(world, checkout, served, read, contents):
    intent = read({"url": served, "ref": {"branch": "main"}})
    base = None
    for n in range(6):
        checkout.commit({f"f{n}": b"%d" % n})
        base = world.artifact(intent, *await world.sync(intent, base))

    assert contents(world.store, base.tree) == {f"f{n}": b"%d" % n for n in range(6)}

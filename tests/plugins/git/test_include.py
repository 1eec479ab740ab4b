"""`spec.include` and `spec.sparseCheckout`: what joins a repository's files, and which of them come at all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.git_repository import GitRepository, Link

from gitopsd.plugin import Artifact, ObjectRef, Rejected, SpecError, Upstream

LIB = ObjectRef(kind="GitRepository", namespace="flux-system", name="lib")


@pytest.fixture
def lib(world, tmp_path, read):
    """Another repository's artifact with these files."""

    async def stored(files, spec=None):
        other = GitRepository(tmp_path / "lib.git")
        other.commit(files)
        intent = read({"url": other.url, "ref": {"branch": "main"}, **(spec or {})})
        revision, found = await world.sync(intent)
        return replace(world.artifact(intent, revision, found), source=LIB)

    return stored


@pytest.fixture
def including(read, repo, world):
    """The repository with includes of the artifact."""

    def intent(artifact: Artifact, *includes, **spec):
        listed = [{"repository": {"name": "lib"}, **include} for include in includes or ({},)]
        found = read({"url": repo.url, "ref": {"branch": "main"}, "include": listed, **spec})
        world.ctx = replace(world.ctx, sources={LIB: Upstream(intent=replace(found, ref=LIB), artifact=artifact)})
        return found

    return intent


@pytest.mark.asyncio
async def test_another_artifact_stands_below_its_name(world, repo, lib, including, contents):
    repo.commit({"a": "1"})
    artifact = await lib({"x": "2", "deep/y": "3"})

    _, stored = await world.sync(including(artifact))

    assert contents(world.store, stored.tree) == {"a": b"1", "lib/x": b"2", "lib/deep/y": b"3"}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ({"fromPath": "deep", "toPath": "apps/of/lib"}, {"a": b"1", "apps/of/lib/y": b"3", "apps/of/lib/link": "y"}),
        ({"fromPath": "./deep/", "toPath": "/b"}, {"a": b"1", "b/y": b"3", "b/link": "y"}),
        ({"fromPath": "x", "toPath": "one-file"}, {"a": b"1", "one-file": b"2"}),
        ({"fromPath": "to-deep", "toPath": "b"}, {"a": b"1", "b/y": b"3", "b/link": "y"}),
    ],
)
async def test_paths_say_what_is_copied_and_where_to(world, repo, lib, including, contents, include, expected):
    repo.commit({"a": "1"})
    artifact = await lib({"x": "2", "deep/y": "3", "deep/link": Link("y"), "to-deep": Link("deep")})

    _, stored = await world.sync(including(artifact, include))

    assert contents(world.store, stored.tree) == expected


@pytest.mark.asyncio
async def test_later_include_may_stand_inside_an_earlier_one(world, repo, lib, including, contents):
    repo.commit({"a": "1"})
    artifact = await lib({"x": "2", "deep/y": "3"})

    includes = ({"fromPath": "deep", "toPath": "b"}, {"fromPath": "x", "toPath": "b/x"})
    _, stored = await world.sync(including(artifact, *includes))

    assert contents(world.store, stored.tree) == {"a": b"1", "b/y": b"3", "b/x": b"2"}


@pytest.mark.asyncio
@pytest.mark.parametrize("taken", ["apps/x", "apps", "apps/deep/er"])
async def test_include_never_covers_what_the_repository_holds(world, repo, lib, including, taken):
    repo.commit({taken: "mine"})
    artifact = await lib({"x": "2"})
    at = taken if taken == "apps" else "apps"

    with pytest.raises(Rejected, match=f"cannot be included at '{at}', where '{taken}") as caught:
        await world.sync(including(artifact, {"toPath": at}))

    assert caught.value.reason == "CopyFailure"


@pytest.mark.asyncio
async def test_include_does_not_go_through_a_file(world, repo, lib, including):
    repo.commit({"apps": "a file"})
    artifact = await lib({"x": "2"})

    with pytest.raises(Rejected, match="where 'apps' is"):
        await world.sync(including(artifact, {"toPath": "apps/lib"}))


@pytest.mark.asyncio
@pytest.mark.parametrize("wanted", ["none", "out/of", "loop"])
async def test_part_that_is_not_there_is_named(world, repo, lib, including, wanted):
    repo.commit({"a": "1"})
    artifact = await lib({"x": "2", "out": Link("../.."), "loop": Link("loop")})

    with pytest.raises(Rejected, match=r"spec\.include\[\]\.fromPath") as caught:
        await world.sync(including(artifact, {"fromPath": wanted}))

    assert caught.value.reason == "CopyFailure"


@pytest.mark.asyncio
async def test_ignore_rules_hold_for_what_is_included_too(world, repo, lib, including, contents):
    repo.commit({"a": "1"})
    artifact = await lib({"x.md": "2", "y": "3", "z/.sourceignore": "k\n", "z/k": "4", "z/l": "5"}, {"ignore": "!/z"})

    _, stored = await world.sync(including(artifact, ignore="*.md"))

    assert set(contents(world.store, stored.tree)) == {"a", "lib/y", "lib/z/.sourceignore", "lib/z/l"}


@pytest.mark.parametrize(
    ("include", "place", "words"),
    [
        ({"toPath": "../b"}, "toPath", "leaves the tree"),
        ({"toPath": "."}, "toPath", "the root is taken"),
        ({"toPath": ".git/hooks"}, "toPath", "Git's own folder"),
        ({"fromPath": "a/../../b"}, "fromPath", "leaves the tree"),
    ],
)
def test_path_that_leaves_the_root_is_a_mistake_of_the_spec(read, include, place, words):
    with pytest.raises(SpecError, match=words) as caught:
        read({"include": [{"repository": {"name": "lib"}, **include}]})

    assert caught.value.path == ("spec", "include", 0, place)


def test_include_makes_the_other_a_part_of_this_one(read):
    intent = read({"include": [{"repository": {"name": "lib"}}, {"repository": {"name": "lib"}, "toPath": "b"}]})

    assert intent.reads == (LIB,)
    assert intent.content != read({}).content


@pytest.mark.asyncio
async def test_sparse_checkout_brings_these_directories_alone(world, repo, read, contents):
    repo.commit({"a/x": "1", "a/deep/y": "2", "ab/z": "3", "b/c/k": "4", "b/l": "5", "root": "6"})

    _, stored = await world.sync(read({"url": repo.url, "ref": {"branch": "main"}, "sparseCheckout": ["./a", "b/c/"]}))

    assert set(contents(world.store, stored.tree)) == {"a/x", "a/deep/y", "b/c/k"}


@pytest.mark.asyncio
async def test_next_commit_is_sparse_too(world, repo, read, contents):
    intent = read({"url": repo.url, "ref": {"branch": "main"}, "sparseCheckout": ["a"]})
    repo.commit({"a/x": "1", "b/y": "2"})
    revision, stored = await world.sync(intent)
    repo.commit({"a/x": "3", "b/y": "4", "a/new": "5"})

    _, second = await world.sync(intent, world.artifact(intent, revision, stored))

    assert contents(world.store, second.tree) == {"a/x": b"3", "a/new": b"5"}


@pytest.mark.asyncio
async def test_ignore_files_outside_of_the_sparse_directories_do_not_count(world, repo, read, contents):
    repo.commit({".sourceignore": "*.md", "a/x.md": "1", "a/.sourceignore": "*.txt", "a/y.txt": "2"})

    _, stored = await world.sync(read({"url": repo.url, "ref": {"branch": "main"}, "sparseCheckout": ["a"]}))

    assert set(contents(world.store, stored.tree)) == {"a/x.md", "a/.sourceignore"}


@pytest.mark.asyncio
async def test_directory_that_is_not_there_is_named(world, repo, read):
    repo.commit({"a/x": "1"})

    with pytest.raises(Rejected, match=r"gone: no such directory in the commit; check spec\.sparseCheckout"):
        await world.sync(read({"url": repo.url, "ref": {"branch": "main"}, "sparseCheckout": ["a", "gone"]}))


def test_sparse_directory_outside_of_the_root_is_a_mistake_of_the_spec(read):
    with pytest.raises(SpecError, match="leaves the tree") as caught:
        read({"sparseCheckout": ["a", "../b"]})

    assert caught.value.path == ("spec", "sparseCheckout", 1)


@pytest.mark.asyncio
async def test_local_folder_is_planned_under_the_same_rules(world, repo, lib, including, contents, tmp_path):
    artifact = await lib({"x": "2"})
    folder = tmp_path / "work"
    (folder / "a").mkdir(parents=True)
    (folder / "a/y").write_text("1")
    (folder / "b").write_text("2")

    stored = await world.source.folder(including(artifact, sparseCheckout=["a"]), folder, world.ctx)

    assert contents(world.store, stored.tree) == {"a/y": b"1", "lib/x": b"2"}

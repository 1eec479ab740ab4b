"""The Git source on real repositories: folders, and servers on loopback."""

from __future__ import annotations

import pytest
from fakes.git_repository import Link, Program, Submodule
from fakes.git_server import Behaviour, http_server

from gitopsd.plugin import File, Misconfigured, NotReady, ObjectRef, Rejected, Remote, Revision, Transient

FILES = {"app/deploy.yaml": "kind: Deployment\n", "app/with blank/x.yaml": "a: 1\r\n", "README.md": "# app\n"}
ADDRESS = ObjectRef(kind="Remote", namespace="git", name="app")
BYTES = {path: text.encode() for path, text in FILES.items()}


def _sha(revision):
    return revision.digest.removeprefix("sha1:")


@pytest.fixture(params=["folder", "http v2", "http v0"])
def served(request, repo):
    """The url of the repository over each transport."""
    if request.param == "folder":
        yield repo.url
        return
    repo.branch("keep", repo.commit({}))
    with http_server(repo.path, Behaviour(modern=request.param == "http v2")) as server:
        yield server.url


@pytest.mark.asyncio
async def test_branch_is_resolved_and_its_files_are_stored_as_they_are(world, repo, read, served, contents):
    commit = repo.commit(FILES)

    revision, stored = await world.sync(read({"url": served, "ref": {"branch": "main"}}))

    assert str(revision) == f"main@sha1:{commit}"
    assert contents(world.store, stored.tree) == BYTES
    assert (stored.files, stored.size) == (3, sum(map(len, BYTES.values())))


@pytest.mark.asyncio
async def test_next_commit_is_stored_as_changes_against_the_last(world, repo, read, served, contents):
    repo.commit(FILES)
    intent = read({"url": served, "ref": {"branch": "main"}})
    revision, stored = await world.sync(intent)
    base = world.artifact(intent, revision, stored)
    repo.commit({"README.md": None, "app/deploy.yaml": "kind: Job\n", "new.yaml": "b: 2\n"})

    _, second = await world.sync(intent, base)

    assert contents(world.store, second.tree) == {
        "app/deploy.yaml": b"kind: Job\n",
        "app/with blank/x.yaml": b"a: 1\r\n",
        "new.yaml": b"b: 2\n",
    }


@pytest.mark.asyncio
async def test_tags_are_peeled_and_semver_takes_the_newest(world, repo, read, served):
    first = repo.commit(FILES)
    second = repo.commit({"x": "1"})
    repo.tag("v1.0.0", first, annotated=True)
    repo.tag("v1.1.0", second)
    repo.tag("v1.2.0-rc.1", second)

    by_tag, _ = await world.sync(read({"url": served, "ref": {"tag": "v1.0.0"}}))
    by_semver, _ = await world.sync(read({"url": served, "ref": {"semver": "1.x"}}))

    assert str(by_tag) == f"v1.0.0@sha1:{first}"
    assert str(by_semver) == f"v1.1.0@sha1:{second}"


@pytest.mark.asyncio
async def test_full_name_of_a_ref_is_its_own_prefix(world, repo, read, served):
    commit = repo.commit(FILES)

    revision, _ = await world.sync(read({"url": served, "ref": {"name": "refs/heads/main"}}))

    assert str(revision) == f"refs/heads/main@sha1:{commit}"


@pytest.mark.asyncio
async def test_older_commit_is_fetched_by_its_name(world, repo, read, served, contents):
    old = repo.commit(FILES)
    repo.commit({"later": "1"})

    revision, stored = await world.sync(read({"url": served, "ref": {"commit": old}}))

    assert str(revision) == f"sha1:{old}"
    assert contents(world.store, stored.tree) == BYTES


@pytest.mark.asyncio
async def test_commit_must_be_part_of_the_branch_named_with_it(world, repo, read, served):
    old = repo.commit(FILES)
    repo.commit({"later": "1"})
    stranger = repo.commit({"x": "2"}, branch="other", orphan=True)

    revision, _ = await world.sync(read({"url": served, "ref": {"commit": old, "branch": "main"}}))
    with pytest.raises(Rejected, match='is not part of branch "main"'):
        await world.sync(read({"url": served, "ref": {"commit": stranger, "branch": "main"}}))

    assert str(revision) == f"main@sha1:{old}"


@pytest.mark.asyncio
async def test_missing_branch_names_object_place_and_field(world, repo, read, served):
    repo.commit(FILES)

    with pytest.raises(Rejected) as caught:
        await world.sync(read({"url": served, "ref": {"branch": "mian"}}))

    expected = f'GitRepository/flux-system/app: branch "mian" not found at {served}; check spec.ref.branch'
    assert str(caught.value) == expected
    assert caught.value.reason == "GitOperationFailed"


@pytest.mark.asyncio
async def test_missing_commit_is_named(world, repo, read, served):
    repo.commit(FILES)

    with pytest.raises((Rejected, Transient), match=r"d{40}"):
        await world.sync(read({"url": served, "ref": {"commit": "d" * 40}}))


@pytest.mark.asyncio
async def test_empty_repository_says_that_the_default_branch_is_missing(world, repo, read):
    with pytest.raises(Rejected, match='branch "master" not found'):
        await world.sync(read({"url": repo.url}))


@pytest.mark.asyncio
async def test_precedence_is_that_of_fluxs_code(world, repo, read):
    first = repo.commit(FILES)
    second = repo.commit({"x": "1"}, branch="other")
    repo.tag("v1.0.0", second)
    repo.tag("pinned", first)
    everything = {"branch": "main", "tag": "pinned", "semver": "*", "name": "refs/heads/other"}

    async def resolved(**without):
        ref = {key: value for key, value in everything.items() if key not in without}
        return str(await world.source.resolve(read({"url": repo.url, "ref": ref}), world.ctx))

    assert await resolved() == f"refs/heads/other@sha1:{second}"
    assert await resolved(name=0) == f"pinned@sha1:{first}"
    assert await resolved(name=0, tag=0) == f"v1.0.0@sha1:{second}"
    assert await resolved(name=0, tag=0, semver=0) == f"main@sha1:{first}"


@pytest.mark.asyncio
async def test_unchanged_ref_costs_one_request(world, repo, read):
    repo.commit(FILES)
    with http_server(repo.path) as server:
        intent = read({"url": server.url, "ref": {"branch": "main"}})
        await world.source.resolve(intent, world.ctx)
        server.behaviour.requests.clear()

        await world.source.resolve(intent, world.ctx)

        assert [(method, path) for method, path, _ in server.behaviour.requests] == [
            ("POST", "/team/app.git/git-upload-pack")
        ]


@pytest.mark.asyncio
async def test_server_that_forgets_protocol_two_is_asked_again(world, repo, read):
    commit = repo.commit(FILES)
    with http_server(repo.path) as server:
        intent = read({"url": server.url, "ref": {"branch": "main"}})
        await world.source.resolve(intent, world.ctx)
        server.behaviour.modern = False

        with pytest.raises(Rejected):
            await world.source.resolve(intent, world.ctx)

        assert _sha(await world.source.resolve(intent, world.ctx)) == commit


@pytest.mark.asyncio
async def test_links_programs_and_submodules(world, repo, read, served):
    repo.commit({"run": Program("#!/bin/sh\n"), "link": Link("../up"), "sub": Submodule("a" * 40), "x": "1"})

    _, stored = await world.sync(read({"url": served, "ref": {"branch": "main"}}))

    node = world.store.node(stored.tree)
    assert sorted(node) == ["link", "run", "x"]
    assert isinstance(node["run"], File)
    assert node["run"].executable
    assert node["link"].target == "../up"
    assert [(log["event"], log["path"]) for log in world.logs] == [("submodule left out", "sub")]


@pytest.mark.asyncio
async def test_default_rules_and_spec_ignore_and_sourceignore(world, repo, read, contents):
    repo.commit(
        {".github/ci.yaml": "x", "logo.png": "x", "a/.sourceignore": "secret*\n", "a/secret.yaml": "x", "b.yaml": "x"}
    )

    _, given = await world.sync(read({"url": repo.url, "ref": {"branch": "main"}}))
    _, spec = await world.sync(read({"url": repo.url, "ref": {"branch": "main"}, "ignore": "/*\n!/b.yaml"}))

    assert sorted(contents(world.store, given.tree)) == [".github/ci.yaml", "a/.sourceignore", "b.yaml", "logo.png"]
    assert sorted(contents(world.store, spec.tree)) == ["b.yaml"]


@pytest.mark.asyncio
async def test_changed_ignore_file_changes_what_did_not_change(world, repo, read, contents):
    repo.commit({".sourceignore": "*.md\n", "a.md": "x", "b.yaml": "x"})
    intent = read({"url": repo.url, "ref": {"branch": "main"}})
    revision, stored = await world.sync(intent)
    repo.commit({".sourceignore": "*.yaml\n"})

    _, second = await world.sync(intent, world.artifact(intent, revision, stored))

    assert sorted(contents(world.store, second.tree)) == [".sourceignore", "a.md"]


@pytest.mark.asyncio
async def test_file_that_becomes_a_folder_and_back(world, repo, read, contents):
    repo.commit({"a": "file", "b/c": "x"})
    intent = read({"url": repo.url, "ref": {"branch": "main"}})
    revision, stored = await world.sync(intent)
    repo.commit({"a": None, "a/x": "1", "b/c": None, "b": "file"})

    _, second = await world.sync(intent, world.artifact(intent, revision, stored))

    assert contents(world.store, second.tree) == {"a/x": b"1", "b": b"file"}


@pytest.mark.asyncio
async def test_lfs_pointer_is_a_named_error_unless_ignored(world, repo, read):
    repo.commit({"data/big.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "x": "1"})

    with pytest.raises(Rejected, match=r"data/big\.bin: a Git LFS pointer.*spec\.ignore"):
        await world.sync(read({"url": repo.url, "ref": {"branch": "main"}}))
    _, stored = await world.sync(read({"url": repo.url, "ref": {"branch": "main"}, "ignore": "*.bin"}))

    assert stored.files == 1


@pytest.mark.asyncio
async def test_revision_of_a_moved_ref_is_fetched_as_it_was_resolved(world, repo, read, contents):
    repo.commit(FILES)
    with http_server(repo.path) as server:
        intent = read({"url": server.url, "ref": {"branch": "main"}})
        revision = await world.source.resolve(intent, world.ctx)
        repo.commit({"later": "1"})

        stored = await world.source.fetch(intent, revision, None, world.ctx)

    assert contents(world.store, stored.tree) == BYTES


@pytest.mark.asyncio
async def test_moved_ref_of_an_old_server_is_tried_again(world, repo, read):
    repo.commit(FILES)
    with http_server(repo.path, Behaviour(modern=False)) as server:
        intent = read({"url": server.url, "ref": {"branch": "main"}})
        revision = await world.source.resolve(intent, world.ctx)
        repo.commit({"later": "1"})

        with pytest.raises(Transient, match="may have moved"):
            await world.source.fetch(intent, revision, None, world.ctx)


@pytest.mark.asyncio
async def test_folder_is_refused_among_rendered_manifests(read):
    with pytest.raises(Misconfigured, match="only in declared files"):
        read({"url": "file:///srv/app.git"}, parent=read({}).ref)


@pytest.mark.asyncio
async def test_folder_without_repository_is_misconfigured(world, read, tmp_path):
    with pytest.raises(Misconfigured, match="no repository at file:///"):
        await world.sync(read({"url": f"file://{tmp_path}/nothing"}))


@pytest.mark.asyncio
async def test_missing_secret_waits(world, read):
    with pytest.raises(NotReady, match=r"app: Secret/flux-system/token not found") as caught:
        await world.source.resolve(read({"secretRef": {"name": "token"}}), world.ctx)

    assert caught.value.reason == "AuthenticationFailed"


@pytest.mark.asyncio
async def test_revision_text_survives(world, repo, read):
    repo.commit(FILES)
    revision = await world.source.resolve(read({"url": repo.url, "ref": {"branch": "main"}}), world.ctx)

    assert Revision.parse(str(revision)) == revision


@pytest.mark.asyncio
@pytest.mark.parametrize("revision", ["", "v1", "main", "refs/heads/main", "commit"])
async def test_an_address_without_a_declaration_brings_all_files_of_a_revision(world, repo, contents, revision):
    files = {"a.yaml": "x", "logo.jpg": "x", ".github/ci.yaml": "x", ".sourceignore": "a.yaml\n", ".gitignore": "b\n"}
    commit = repo.commit(files)
    repo.tag("v1", commit, annotated=True)
    (repo.path / "HEAD").write_text("ref: refs/heads/main\n")
    with http_server(repo.path) as server:
        remote = Remote(sort="git", url=server.url, revision=commit if revision == "commit" else revision)
        _, stored = await world.sync(world.source.address(remote, ADDRESS))

    assert contents(world.store, stored.tree) == {path: text.encode() for path, text in files.items()}


@pytest.mark.parametrize(
    ("url", "revision", "message"),
    [
        ("file:///srv/app.git", "", "allowed only in declared files"),
        ("https://h/a/b", "a..b", "neither a commit of 40 hex digits nor a name"),
    ],
)
def test_an_address_that_cannot_be_one_is_refused(world, url, revision, message):
    with pytest.raises(Rejected, match=message):
        world.source.address(Remote(sort="git", url=url, revision=revision), ADDRESS)

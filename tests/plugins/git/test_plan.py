"""What a plan asks of the source: another revision than the declared one, or a local folder in its place."""

from __future__ import annotations

import pytest
from dulwich import porcelain
from fakes.git_server import Behaviour, http_server

from gitopsd.plugin import AnyFolder, AnyRevision, Rejected, UsageError
from gitopsd_plugins.git.source import GitSource

FILES = {"app/a.yaml": "a: 1\n"}


@pytest.fixture(params=["folder", "http v2", "http v0"])
def served(request, repo):
    if request.param == "folder":
        yield repo.url
        return
    repo.branch("keep", repo.commit({}))
    with http_server(repo.path, Behaviour(modern=request.param == "http v2")) as server:
        yield server.url


def test_the_source_offers_both():
    assert isinstance(GitSource(), AnyRevision)
    assert isinstance(GitSource(), AnyFolder)


@pytest.mark.asyncio
async def test_every_way_to_name_a_revision_brings_its_files(world, repo, read, served, contents):
    repo.commit(FILES)
    other = repo.commit({"app/a.yaml": "a: 2\n"}, branch="feature/x")
    repo.tag("v2", other, annotated=True)
    repo.commit({"app/a.yaml": "a: 3\n"})
    declared = read({"url": served, "ref": {"branch": "main"}})
    for named in ("feature/x", "refs/heads/feature/x", "v2", "refs/tags/v2", other, f"main@sha1:{other}"):
        revision, stored = await world.sync(world.source.at(declared, named))
        assert revision.digest == f"sha1:{other}", named
        assert contents(world.store, stored.tree) == {"app/a.yaml": b"a: 2\n"}


@pytest.mark.asyncio
async def test_the_content_rules_stay_those_of_the_declared_source(world, repo, read):
    declared = read({"url": repo.url, "ignore": "*.md"})
    assert world.source.at(declared, "v1").content == declared.content


@pytest.mark.asyncio
async def test_a_name_of_a_branch_and_a_tag_is_refused_with_what_to_say(world, repo, read, served):
    repo.tag("both", repo.commit(FILES, branch="both"))
    with pytest.raises(Rejected, match="name refs/heads/both or refs/tags/both"):
        await world.sync(world.source.at(read({"url": served}), "both"))


@pytest.mark.asyncio
async def test_what_is_not_there_is_named_with_the_remedy(world, repo, read, served):
    repo.commit(FILES)
    with pytest.raises(
        Rejected, match=r"neither branch nor tag 'abc1234' at .*; a commit is named by all of its 40 digits"
    ):
        await world.sync(world.source.at(read({"url": served}), "abc1234"))
    with pytest.raises(Rejected, match="commit 0000000000000000000000000000000000000000 not found"):
        await world.sync(world.source.at(read({"url": served}), "0" * 40))


@pytest.mark.parametrize("text", ["a b", "", "..", "-x", "a..b", "x^{commit}"])
def test_what_can_be_no_revision_is_a_mistake_of_usage(read, text):
    with pytest.raises(UsageError, match="neither a commit"):
        GitSource().at(read({}), text)


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "work"
    for path, text in {
        "app/a.yaml": "a: 1\n",
        "app/run.sh": "#!/bin/sh\n",
        "README.md": "# x\n",
        "logo.png": "x",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "app/run.sh").chmod(0o755)
    (folder / "link").symlink_to("app")
    return folder


@pytest.mark.asyncio
async def test_a_folder_is_what_a_commit_of_it_would_be(world, repo, read, tree, contents):
    porcelain.init(tree).close()
    (tree / ".gitignore").write_text("*.tmp\nbuild/\n")
    for path in ("x.tmp", "kept.tmp", "build/out.yaml"):
        (tree / path).parent.mkdir(exist_ok=True)
        (tree / path).write_text("t: 1\n")
    with porcelain.open_repo_closing(str(tree)) as opened:
        opened.get_worktree().stage(["kept.tmp"])
    porcelain.add(str(tree), [str(tree / "app/a.yaml")])
    intent = read({"url": repo.url, "ref": {"branch": "main"}})

    stored = await world.source.folder(intent, tree, world.ctx)

    assert contents(world.store, stored.tree) == {
        "app/a.yaml": b"a: 1\n", "app/run.sh": b"#!/bin/sh\n", "README.md": b"# x\n", "kept.tmp": b"t: 1\n", "link": "app",
    }  # fmt: skip
    repo.commit({"app/a.yaml": "a: 1\n"})
    assert world.store.node(world.store.node(stored.tree)["app"].digest)["run.sh"].executable


@pytest.mark.asyncio
async def test_an_unchanged_folder_gives_the_tree_of_the_commit(world, repo, read, tmp_path):
    repo.commit({"app/a.yaml": "a: 1\n", "b/c/d.yaml": "d: 1\n", ".sourceignore": "*.txt\n", "x.txt": "x"})
    intent = read({"url": repo.url, "ref": {"branch": "main"}, "ignore": "b/c/"})
    porcelain.clone(str(repo.path), str(tmp_path / "clone"), branch=b"main").close()

    _, committed = await world.sync(intent)

    assert await world.source.folder(intent, tmp_path / "clone", world.ctx) == committed


@pytest.mark.asyncio
async def test_without_git_the_whole_folder_counts(world, read, tree, contents):
    stored = await world.source.folder(read({"ignore": "README.md"}), tree, world.ctx)
    assert set(contents(world.store, stored.tree)) == {"app/a.yaml", "app/run.sh", "link", "logo.png"}


@pytest.mark.asyncio
async def test_a_part_of_a_work_tree_is_its_own_root(world, read, tree, contents):
    porcelain.init(tree).close()
    (tree / ".gitignore").write_text("app/*.sh\n")
    stored = await world.source.folder(read({}), tree / "app", world.ctx)
    assert set(contents(world.store, stored.tree)) == {"a.yaml"}


@pytest.mark.asyncio
async def test_no_such_folder(world, read, tmp_path):
    with pytest.raises(UsageError, match="nowhere: no such folder"):
        await world.source.folder(read({}), tmp_path / "nowhere", world.ctx)

"""A commit put as its difference from the one before is the same tree as when it is put whole, and costs what changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from dulwich.objects import Commit
from dulwich.repo import Repo
from fakes.git_repository import GitRepository, Link, Submodule
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitopsd.plugin import Rejected
from gitopsd_plugins.git import address, job, order
from gitopsd_plugins.git.credentials import Access
from gitopsd_plugins.git.order import Fetched, FetchOrder, Limits, Remote, Rules

PATHS = ["a", "a/b", "a/.sourceignore", "a/c/d.jpg", "b/c.jpg", "b/.github/x", "b/d", "c/e/f", "c/.sourceignore"]
CONTENTS = st.sampled_from([None, "1", "2", "*.jpg\n", "# nothing\n", Link("b/d"), Submodule("a" * 40)])
CHANGES = st.dictionaries(st.sampled_from([*PATHS, ".sourceignore", "x.yaml"]), CONTENTS, min_size=1, max_size=6)
RULES = st.builds(
    Rules, ignore=st.sampled_from([None, "", "/a\n", "!*.jpg\n"]), sparse=st.sampled_from([(), ("a",), ("b", "c/e")])
)

ALL, LIMITS = Rules(), Limits()


def order_for(repo: GitRepository, commit: str, rules: Rules = ALL, limits: Limits = LIMITS) -> FetchOrder:
    place = address.read(repo.url, beside=repo.path)
    return FetchOrder(
        remote=Remote(address=place, access=Access()), cache="", commit=commit, rules=rules, limits=limits
    )


def fetched(store, given: FetchOrder) -> Fetched:
    return order.decode(job.fetch(order.encode(given), store), Fetched)


def after(store, given: FetchOrder, base: str, tree: str) -> Fetched:
    return fetched(store, replace(given, base=base, tree=tree))


def fitting(repo: GitRepository, changes):
    """The changes without a path that would be a file and a folder at once, with what makes room for the rest."""
    fit = {p: c for p, c in changes.items() if not any(c and changes.get(q) for q in changes if q.startswith(f"{p}/"))}
    gone = {
        q: None for q in repo.files for p, c in fit.items() if c and (q.startswith(f"{p}/") or p.startswith(f"{q}/"))
    }
    return {**gone, **fit}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=CHANGES, then=st.lists(CHANGES, min_size=1, max_size=3), rules=RULES)
def test_difference_makes_the_same_tree_as_the_whole_commit(world, first, then, rules):
    with TemporaryDirectory() as folder:
        repo = GitRepository(Path(folder) / "origin.git")
        base, tree = repo.commit(fitting(repo, {"b/keep": "1", "c/e/keep": "1", "a/keep": "1", **first})), ""
        for changes in then:
            commit = repo.commit(fitting(repo, changes))
            try:
                tree = tree or fetched(world.store, order_for(repo, base, rules)).stored.tree
                whole = fetched(world.store, order_for(repo, commit, rules)).stored
            except Rejected:
                return  # a directory that is asked for is not there

            assert after(world.store, order_for(repo, commit, rules), base, tree).stored == whole
            base, tree = commit, whole.tree


def test_sparse_directory_that_vanishes_is_named(world, repo):
    rules = Rules(sparse=("a", "b"))
    base = repo.commit({"a/x": "1", "b/x": "1"})
    tree = fetched(world.store, order_for(repo, base, rules)).stored.tree
    commit = repo.commit({"b/x": None, "c": "1"})

    with pytest.raises(Rejected, match="b: no such directory in the commit"):
        after(world.store, order_for(repo, commit, rules), base, tree)


def test_ignore_file_outside_of_the_sparse_directories_has_no_say(world, repo):
    rules = Rules(sparse=("b",), ignore="/a\n")
    base = repo.commit({".sourceignore": "*.jpg\n", "b/x": "1"})
    tree = fetched(world.store, order_for(repo, base, rules)).stored.tree
    commit = repo.commit({"b/c.jpg": "1"})

    stored = after(world.store, order_for(repo, commit, rules), base, tree).stored

    assert stored.files == 2
    assert stored == fetched(world.store, order_for(repo, commit, rules)).stored


def test_directories_that_did_not_change_are_not_read(world, repo):
    base = repo.commit({"same/x": "1", "same/below/y": "1", "changes/z": "1"})
    tree = fetched(world.store, order_for(repo, base)).stored.tree
    commit = repo.commit({"changes/z": "2"})
    with Repo(str(repo.path)) as opened:
        shared = [_tree_at(opened, commit, path) for path in (b"same", b"same/below")]
    for oid in shared:
        (repo.path / "objects" / oid[:2] / oid[2:]).unlink()

    second = after(world.store, order_for(repo, commit), base, tree).stored

    assert second.files == 3
    with pytest.raises(Rejected, match="damaged"):
        fetched(world.store, order_for(repo, commit))


def test_number_of_files_is_limited_after_a_difference_too(world, repo):
    limits = Limits(entries=4)
    base = repo.commit({"a/1": "1", "b/2": "2"})
    tree = fetched(world.store, order_for(repo, base, limits=limits)).stored.tree
    commit = repo.commit({"b/3": "3", "b/4": "4", "b/5": "5"})

    with pytest.raises(Rejected, match="more than 4 files"):
        after(world.store, order_for(repo, commit, limits=limits), base, tree)


def test_submodules_that_stay_are_named_once(world, repo):
    base = repo.commit({"lib": Submodule("a" * 40), "x": "1"})
    first = fetched(world.store, order_for(repo, base))
    commit = repo.commit({"x": "2"})

    assert first.submodules == ("lib",)
    assert after(world.store, order_for(repo, commit), base, first.stored.tree).submodules == ()


def _tree_at(opened: Repo, commit: str, path: bytes) -> str:
    found = opened[commit.encode()]
    assert isinstance(found, Commit)
    oid = found.tree
    for name in path.split(b"/"):
        _, oid = opened[oid][name]
    return oid.decode()

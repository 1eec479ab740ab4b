"""`spec.recurseSubmodules`: other repositories' files at the commits that are named, and nowhere else's credentials."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import pytest
from fakes.git_repository import GitRepository, Submodule
from fakes.git_server import http_server

from gitopsd.plugin import Rejected
from gitopsd_plugins.git import address, gitmodules
from gitopsd_plugins.git.credentials import Access


def modules(**urls: str) -> str:
    return "".join(f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n' for path, url in urls.items())


@pytest.fixture
def serve(tmp_path):
    """Serves another repository, made with these files; answers with its server and its first commit."""
    with ExitStack() as stack:

        def begin(name, files, behaviour=None):
            other = GitRepository(tmp_path / f"{name}.git")
            commit = other.commit(files)
            server = stack.enter_context(http_server(other.path, behaviour))
            return server, commit, other

        yield begin


@pytest.fixture
def served(repo):
    with http_server(repo.path) as server:
        yield server


@pytest.fixture
def intent(read, served):
    return lambda **spec: read({"url": served.url, "ref": {"branch": "main"}, "recurseSubmodules": True, **spec})


@pytest.mark.asyncio
async def test_files_of_a_submodule_stand_at_its_path(world, repo, intent, serve, contents):
    lib, commit, other = serve("lib", {"x": "old"})
    other.commit({"x": "newer than what is named"})
    repo.commit({"a": "1", ".gitmodules": modules(lib=lib.url), "lib": Submodule(commit)})

    _, stored = await world.sync(intent())

    assert contents(world.store, stored.tree) == {"a": b"1", "lib/x": b"old"}
    assert world.logs == []


@pytest.mark.asyncio
async def test_next_commit_brings_the_next_one_of_the_submodule(world, repo, intent, serve, contents):
    lib, first, other = serve("lib", {"x": "1"})
    repo.commit({"a": "1", ".gitmodules": modules(lib=lib.url), "lib": Submodule(first)})
    revision, stored = await world.sync(intent())
    repo.commit({"lib": Submodule(other.commit({"x": "2"}))})

    _, second = await world.sync(intent(), world.artifact(intent(), revision, stored))

    assert contents(world.store, second.tree) == {"a": b"1", "lib/x": b"2"}


@pytest.mark.asyncio
async def test_submodules_of_submodules_come_too(world, repo, intent, serve, contents):
    inner, innermost, _ = serve("inner", {"k": "3"})
    outer, commit, _ = serve("outer", {"y": "2", ".gitmodules": modules(in_=inner.url), "in_": Submodule(innermost)})
    repo.commit({".gitmodules": modules(out=outer.url), "out": Submodule(commit)})

    _, stored = await world.sync(intent())

    assert contents(world.store, stored.tree) == {"out/y": b"2", "out/in_/k": b"3"}


@pytest.mark.asyncio
async def test_ignore_rules_of_both_hold_and_an_excluded_submodule_is_not_fetched(world, repo, intent, serve, contents):
    lib, commit, _ = serve("lib", {"x.md": "1", ".sourceignore": "y", "y": "2", "z": "3"})
    other, another, _ = serve("other", {"never": "asked"})
    links = {"lib": Submodule(commit), "other": Submodule(another)}
    repo.commit({".gitmodules": modules(lib=lib.url, other=other.url), **links, "y": "4"})

    _, stored = await world.sync(intent(ignore="*.md\n/other"))

    assert set(contents(world.store, stored.tree)) == {"y", "lib/z", "lib/.sourceignore"}
    assert other.behaviour.requests == []


@pytest.mark.asyncio
async def test_credentials_go_to_the_parents_origin_only(world, repo, intent, served, serve, contents):
    lib, commit, _ = serve("lib", {"x": "1"})
    served.behaviour.username, served.behaviour.password = "ada", "hush-hush"
    world.secrets.data["login"] = {"username": b"ada", "password": b"hush-hush"}
    repo.commit({"a": "1", ".gitmodules": modules(lib=lib.url), "lib": Submodule(commit)})

    _, stored = await world.sync(intent(secretRef={"name": "login"}))

    assert contents(world.store, stored.tree) == {"a": b"1", "lib/x": b"1"}
    assert {authorization for _, _, authorization in lib.behaviour.requests} == {""}


@pytest.mark.asyncio
async def test_same_origin_gets_the_parents_credentials_by_a_relative_url(world, repo, intent, served, contents):
    served.behaviour.username, served.behaviour.password = "ada", "hush-hush"
    world.secrets.data["login"] = {"username": b"ada", "password": b"hush-hush"}
    first = repo.commit({"x": "1"})  # the server answers with this repository under any name
    repo.commit({"x": None, "a": "1", ".gitmodules": modules(lib="../lib.git"), "lib": Submodule(first)})

    _, stored = await world.sync(intent(secretRef={"name": "login"}))

    assert contents(world.store, stored.tree) == {"a": b"1", "lib/x": b"1"}
    assert any("/team/lib.git/" in path for _, path, _ in served.behaviour.requests)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("file:///etc", "a file: or local one is never followed"),
        ("/etc/passwd", "a file: or local one is never followed"),
        ("ext::sh -c id", "is not https"),
        ("--upload-pack=touch /tmp/x", "begins with '-'"),
        ("-u./payload", "begins with '-'"),
        ("../../../../elsewhere", "leads out of the server"),
        ("https://git.example.org/a b", "blanks or control characters"),
        ("ssh://git@git.example.org/lib", "no key is known for ssh://git@git.example.org/lib"),
        ("git@git.example.org:team/lib.git", "no key is known for ssh://git@git.example.org/team/lib.git"),
    ],
)
async def test_url_that_is_not_another_servers_is_refused(world, repo, intent, url, words):
    repo.commit({"a": "1", ".gitmodules": modules(lib=url), "lib": Submodule("b" * 40)})

    with pytest.raises(Rejected, match=words) as caught:
        await world.sync(intent())

    assert "submodule 'lib'" in str(caught.value)


@pytest.mark.asyncio
async def test_submodule_without_url_is_named(world, repo, intent):
    repo.commit({"a": "1", "lib": Submodule("b" * 40)})

    with pytest.raises(Rejected, match=r"submodule '?lib'?: \.gitmodules has no url"):
        await world.sync(intent())


@pytest.mark.asyncio
async def test_repositories_that_hold_each_other_end(world, repo, intent, served):
    at = served.url.rpartition("/")[0]
    commit = repo.commit({"a": "1", ".gitmodules": modules(lib=f"{at}/x/../app.git")})
    for _ in range(12):
        commit = repo.commit({"lib": Submodule(commit)})

    with pytest.raises(Rejected, match=r"deeper than 10 submodules"):
        await world.sync(intent())


@pytest.mark.asyncio
async def test_number_of_submodules_is_limited(world, repo, intent, serve):
    lib, commit, _ = serve("lib", {"x": "1"})
    names = [f"m{number}" for number in range(101)]
    repo.commit({".gitmodules": modules(**dict.fromkeys(names, lib.url)), **dict.fromkeys(names, Submodule(commit))})

    with pytest.raises(Rejected, match="more than 100 submodules"):
        await world.sync(intent())


@pytest.mark.asyncio
async def test_local_folder_has_no_relative_submodules(world, repo, read):
    repo.commit({"a": "1", ".gitmodules": modules(lib="../lib"), "lib": Submodule("b" * 40)})

    with pytest.raises(Rejected, match="relative to a folder of this machine"):
        await world.sync(read({"url": repo.url, "ref": {"branch": "main"}, "recurseSubmodules": True}))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('[submodule "a"]\n path = "a b" # why\n url = https://x/y ; no\n', {"a b": "https://x/y"}),
        ('[submodule "a"]\npath=a\n[include]\npath=/etc/passwd\nurl=x\n', {}),
        ('[core]\npath=a\nurl=b\n[Submodule "a"]\nPATH=c\nURL=d\n', {"c": "d"}),
        ('[submodule "a"]\npath=a\n', {}),
        ('[submodule "a"]\npath=a\nurl="../a\\"b"\nupdate=!sh\n', {"a": '../a"b'}),
        ("nonsense\n\0", {}),
    ],
)
def test_gitmodules_is_read_for_paths_and_urls_only(text, found):
    assert gitmodules.parse(text) == found


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("../lib", "https://git.example.org/team/lib"),
        ("./lib", "https://git.example.org/team/app.git/lib"),
        ("../../other/lib.git", "https://git.example.org/other/lib.git"),
        ("../../lib", "https://git.example.org/lib"),
    ],
)
def test_relative_url_is_below_the_same_server(url, whole):
    parent = address.read("https://git.example.org/team/app.git", beside=None)

    assert gitmodules.resolve(url, "lib", parent).url == whole


def test_port_written_out_is_the_same_origin():
    parent = address.read("https://git.example.org/a", beside=None)
    opened = Access(authorization="Basic x")
    place = address.read("https://git.example.org:443/b", beside=None)

    assert gitmodules.opening(place, parent, opened, "b").authorization == "Basic x"
    assert gitmodules.opening(replace(place, url="https://git.example.org:8443/b"), parent, opened, "b") == Access()

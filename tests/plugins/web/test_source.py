from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import sink_context, web_files
from fakes.web_files import WebFiles

from gitopsd.plugin import Context, Folder, NothingThere, ObjectRef, Rejected, Remote, Revision, SourceIntent, Transient
from gitopsd.plugin.tree import Tree
from gitopsd.store import Store
from gitopsd_plugins.web import source
from gitopsd_plugins.web.source import FileSource

pytestmark = pytest.mark.asyncio
REF = ObjectRef(kind="Remote", namespace="file", name="it")


@pytest.fixture
def web() -> Iterator[WebFiles]:
    with web_files.serve({"/a.yaml": "one"}) as it:
        yield it


@pytest.fixture
def ctx(tmp_path: Path) -> Iterator[Context]:
    with Store.open(tmp_path / "state") as store:
        yield replace(sink_context.make(tmp_path), intake=store)


def intent(url: str) -> SourceIntent:
    return FileSource().address(Remote(sort="file", url=url), REF)


async def test_a_file_is_the_only_one_of_its_tree_and_its_content_the_revision(web: WebFiles, ctx: Context) -> None:
    wanted = intent(f"{web.url}/a.yaml")
    revision = await FileSource().resolve(wanted, ctx)
    stored = await FileSource().fetch(wanted, revision, None, ctx)
    tree = Tree(ctx.intake, stored.tree)
    assert isinstance(tree.find(""), Folder)
    assert tree.read("content") == b"one"
    assert await FileSource().resolve(wanted, ctx) == revision
    web.files["/a.yaml"] = b"two"
    assert await FileSource().resolve(wanted, ctx) != revision


async def test_what_changes_meanwhile_is_asked_again(web: WebFiles, ctx: Context) -> None:
    with pytest.raises(Transient, match="changed while it was fetched"):
        await FileSource().fetch(intent(f"{web.url}/a.yaml"), Revision(digest="sha256:0"), None, ctx)


async def test_nothing_there_is_an_answer(web: WebFiles, ctx: Context) -> None:
    with pytest.raises(NothingThere, match="the server answered 404"):
        await FileSource().resolve(intent(f"{web.url}/none"), ctx)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_server_in_trouble_is_asked_again(web: WebFiles, ctx: Context, status: int) -> None:
    web.status = status
    with pytest.raises(Transient, match=f"the server answered {status}"):
        await FileSource().resolve(intent(f"{web.url}/a.yaml"), ctx)


async def test_a_server_that_is_away_is_asked_again(web: WebFiles, ctx: Context) -> None:
    with pytest.raises(Transient, match="cannot be reached"):
        await FileSource().resolve(intent("http://127.0.0.1:1/a.yaml"), ctx)


async def test_a_file_that_is_too_large_is_refused(web: WebFiles, ctx: Context) -> None:
    web.files["/a.yaml"] = b"x" * (source.MAX_FILE + 1)
    with pytest.raises(Rejected, match="more than 16 MiB"):
        await FileSource().resolve(intent(f"{web.url}/a.yaml"), ctx)


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/a", "http://me:hush@127.0.0.1/a", "file:///etc/passwd"])
async def test_a_redirect_to_what_cannot_be_used_is_refused(web: WebFiles, ctx: Context, target: str) -> None:
    web.redirects["/moved"] = target
    with pytest.raises(Rejected, match="redirects to what is no http URL") as refused:
        await FileSource().resolve(intent(f"{web.url}/moved"), ctx)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest", "http://[fe80::1]/", "http://metadata/x"])
async def test_a_redirect_to_a_metadata_address_is_refused(web: WebFiles, ctx: Context, target: str) -> None:
    web.redirects["/moved"] = target
    with pytest.raises(Rejected, match="an address of this machine's own link"):
        await FileSource().resolve(intent(f"{web.url}/moved"), ctx)


async def test_a_file_has_no_revisions() -> None:
    with pytest.raises(Rejected, match="no revisions"):
        FileSource().address(Remote(sort="file", url="https://h/a", revision="v1"), REF)

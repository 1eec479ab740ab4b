"""Artifacts that somebody else made: what a document means, and the file behind its URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from fakes.registry import Answer, Registry, digest, layer, serving
from fakes.source_world import one_source

from gitopsd.plugin import (
    Context,
    Declared,
    Digest,
    Kind,
    NotReady,
    ObjectRef,
    Place,
    Rejected,
    SourceIntent,
    SpecError,
    Transient,
    VerificationFailed,
)
from gitopsd.plugin.conformance.kind import KindSuite
from gitopsd.plugin.conformance.source import FIRST, CountingIntake, SourceSuite, Upstream
from gitopsd_plugins.external.kind import ExternalArtifact
from gitopsd_plugins.external.source import ExternalSource

REF = ObjectRef(kind="ExternalArtifact", namespace="flux-system", name="words")
DATA = layer(FIRST)


def declared(artifact):
    document = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "ExternalArtifact",
        "metadata": {"name": "words", "namespace": "flux-system"},
        "spec": {"sourceRef": {"apiVersion": "example.org/v1", "kind": "Maker", "name": "it"}},
        **({"status": {"artifact": artifact, "conditions": []}} if artifact else {}),
    }
    return Declared(ref=REF, document=document, place=Place(file="a.yaml", line=1), spec=Digest("sha256:0"))


def made(url="http://127.0.0.1:1/a.tar.gz", **fields):
    return {"url": url, "digest": digest(DATA), "revision": f"latest@{digest(DATA)}", **fields}


def read(artifact):
    return ExternalArtifact().read(declared(artifact))


@pytest.fixture
def world(tmp_path):
    with one_source(tmp_path, ExternalSource()) as found:
        yield found


@pytest.fixture
def server():
    """A file server."""
    with serving(Registry()) as running:
        running.rule("GET /a.tar.gz", Answer(body=DATA))
        yield running


def test_document_without_an_artifact_waits_for_one():
    assert read(None).spec is None


def test_another_artifact_is_other_content():
    assert read(made()).content != read(made(digest=digest(b"x"))).content


def test_nothing_is_polled_often():
    assert read(made()).interval == timedelta(minutes=10)


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"url": "ftp://host/a"}, "url"),
        ({"url": "http://"}, "url"),
        ({"url": "http://[x"}, "url"),
        ({"url": "http://host:99999/a"}, "url"),
        ({"url": "http://user:hush@host/a"}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"digest": "md5:ab"}, "digest"),
        ({"revision": ""}, "revision"),
        ({"bytes": 1}, "bytes"),
    ],
)
def test_what_cannot_be_is_refused_at_its_place(fields, at):
    with pytest.raises(SpecError) as caught:
        read(made(**fields))

    assert caught.value.path[:2] == ("status", "artifact")
    assert "hush" not in str(caught.value)


@pytest.mark.asyncio
async def test_files_and_metadata_of_the_artifact_are_stored(world, server):
    intent = read(made(f"http://{server.host}/a.tar.gz", metadata={"a": "b"}))

    revision, stored = await world.sync(intent)

    assert str(revision) == f"latest@{digest(DATA)}"
    assert world.contents(stored.tree) == FIRST
    assert stored.metadata == {"a": "b"}


@pytest.mark.asyncio
async def test_resolving_asks_nobody(world, server):
    await world.source.resolve(read(made(f"http://{server.host}/a.tar.gz")), world.ctx)

    assert server.requests == []


@pytest.mark.asyncio
async def test_artifact_that_nobody_made_yet_is_waited_for(world):
    with pytest.raises(NotReady, match=r"^ExternalArtifact/flux-system/words: has no artifact yet") as caught:
        await world.source.resolve(read(None), world.ctx)

    assert caught.value.reason == "NoArtifact"


@pytest.mark.asyncio
async def test_other_bytes_than_the_digest_says_are_refused(world, server, tmp_path):
    intent = read(made(f"http://{server.host}/a.tar.gz", digest=digest(b"other")))

    with pytest.raises(VerificationFailed, match=r"is not what its digest .* says; nothing of it is used"):
        await world.sync(intent)

    assert list((tmp_path / "cache" / "external").iterdir()) == []


@pytest.mark.asyncio
async def test_redirect_is_followed_with_care(world, server):
    server.rule("GET /moved", Answer(status=302, headers={"Location": "/a.tar.gz"}))
    server.rule("GET /metadata", Answer(status=302, headers={"Location": "http://169.254.169.254/latest"}))
    server.rule("GET /loop", Answer(status=302, headers={"Location": "/loop"}))

    await world.sync(read(made(f"http://{server.host}/moved")))
    with pytest.raises(Rejected, match="an address of this machine's own link"):
        await world.sync(read(made(f"http://{server.host}/metadata")))
    with pytest.raises(Rejected, match="more than 10 redirects"):
        await world.sync(read(made(f"http://{server.host}/loop")))


@pytest.mark.asyncio
async def test_artifact_that_is_gone_is_asked_for_again(world, server):
    server.rule("GET /gone", Answer(status=404))
    server.rule("GET /busy", Answer(status=503, headers={"Retry-After": "30"}))

    with pytest.raises(Transient, match="/gone answered 404"):
        await world.sync(read(made(f"http://{server.host}/gone?signed=hush")))
    with pytest.raises(Transient, match="/busy answered 503") as caught:
        await world.sync(read(made(f"http://{server.host}/busy?signed=hush")))

    assert caught.value.retry_after == 30
    assert "hush" not in str(caught.value)


@pytest.mark.asyncio
async def test_what_is_no_archive_is_refused(world, server):
    server.rule("GET /text", Answer(body=b"kind: ConfigMap\n" * 100))

    with pytest.raises(Rejected, match=r"^ExternalArtifact/flux-system/words: http://.*/text: is no tar archive"):
        await world.sync(read(made(f"http://{server.host}/text", digest=digest(b"kind: ConfigMap\n" * 100))))


class TestSource(SourceSuite):
    """The document names what is fetched: whoever publishes writes another one."""

    @pytest.fixture
    def upstream(self, world, server) -> Upstream:
        intake = CountingIntake(world.store)
        world.work.intake = intake
        files: dict[str, bytes | None] = {}
        ctx = replace(world.ctx, intake=intake)

        def publish(changes: Mapping[str, bytes | None]) -> None:
            files.update(changes)
            server.rules[:] = []
            server.rule("GET /a.tar.gz", Answer(body=layer(files)))

        async def now() -> tuple[SourceIntent, Context]:
            named = digest(layer(files))
            return read(made(f"http://{server.host}/a.tar.gz", digest=named, revision=f"latest@{named}")), ctx

        return Upstream(
            source=ExternalSource(),
            ctx=ctx,
            intake=intake,
            intent=read(made()),
            lost=read(made("http://127.0.0.2:9/a.tar.gz")),
            publish=publish,
            now=now,
        )


class TestKind(KindSuite):
    kind: ClassVar[Kind] = ExternalArtifact()
    document: ClassVar[Mapping[str, Any]] = declared(
        made(size=1, path="a", lastUpdateTime="2026-01-01T00:00:00Z")
    ).document


@pytest.mark.asyncio
async def test_plans_may_ask_for_a_local_folder(world, tmp_path):
    work = tmp_path / "work"
    (work / "apps").mkdir(parents=True)
    (work / "apps" / "a.sh").write_bytes(b"a")
    (work / "apps" / "a.sh").chmod(0o755)
    (work / "b.md").write_bytes(b"b")

    stored = await ExternalSource().folder(read(None), work, world.ctx)

    assert world.contents(stored.tree) == {"apps/a.sh": b"a", "b.md": b"b"}
    apps = world.store.node(stored.tree)["apps"]
    assert world.store.node(apps.digest)["a.sh"].executable

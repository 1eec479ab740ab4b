"""Objects that ask the same at once, with the same credentials, cost what one costs; others never share what those opened."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from fakes import charts
from fakes.registry import Registry, digest, layer, serving
from fakes.source_world import SlowSecrets, SourceWorld, source_world
from fakes.web_server import Site, web_server

from gitopsd.plugin import Context, Declared, Digest, GitopsdError, ObjectRef, Place, SourceIntent, Stored, Upstream
from gitopsd_plugins import bucket, external, helm, oci

pytestmark = pytest.mark.asyncio
MANY = 20
CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SourceWorld]:
    with source_world(tmp_path) as made:
        yield made


@pytest.fixture
def site() -> Iterator[Site]:
    with web_server() as served:
        yield served


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serving(Registry()) as running:
        yield running


class Objects:
    """Objects of one kind, each in a namespace of its own, and the plugin's source that serves them."""

    def __init__(self, plugin: ModuleType, kind: str, world: SourceWorld) -> None:
        self.world = world
        self.kind = next(one for one in plugin.gitopsd_kinds() if one.kind == kind)
        self.source = next(one for one in plugin.gitopsd_sources() if one.kind == kind)
        self.ctx: dict[ObjectRef, Context] = {}

    def read(self, spec: Mapping[str, Any], namespace: str, name: str = "app") -> SourceIntent:
        parts = {"spec": {}, **spec} if "status" in spec else {"spec": {"interval": "1m", **spec}}
        document = {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": self.kind.kind,
            "metadata": {"name": name, "namespace": namespace},
            **parts,
        }
        ref = ObjectRef(kind=self.kind.kind, namespace=namespace, name=name)
        found = self.kind.read(Declared(ref=ref, document=document, place=Place(file="a", line=1), spec=Digest("s")))
        assert isinstance(found, SourceIntent)
        return found

    def many(self, spec: Mapping[str, Any]) -> Sequence[SourceIntent]:
        return [self.read(spec, f"team-{number}") for number in range(MANY)]

    async def synced(self, *intents: SourceIntent) -> Sequence[Stored | GitopsdError]:
        """What each comes to; all poll at once, then all fetch."""
        found: dict[int, Stored | GitopsdError] = {}
        revisions: dict[int, Any] = {}

        async def poll(number: int, intent: SourceIntent) -> None:
            try:
                revisions[number] = await self.source.resolve(intent, self._ctx(intent))
            except GitopsdError as error:
                found[number] = error

        async def fetch(number: int, intent: SourceIntent) -> None:
            found[number] = await self.source.fetch(intent, revisions[number], None, self._ctx(intent))

        async with anyio.create_task_group() as tasks:
            for number, intent in enumerate(intents):
                tasks.start_soon(poll, number, intent)
        async with anyio.create_task_group() as tasks:
            for number in revisions:
                tasks.start_soon(fetch, number, intents[number])
        return [found[number] for number in range(len(intents))]

    def _ctx(self, intent: SourceIntent) -> Context:
        return self.ctx.get(intent.ref, self.world.ctx)

    def one_tree(self, found: Sequence[Stored | GitopsdError]) -> Mapping[str, bytes]:
        trees = {stored.tree for stored in found if isinstance(stored, Stored)}
        assert len(found) == MANY
        assert len(trees) == 1, found
        return self.world.files(trees.pop())


def docker(registry: Registry, password: str) -> Mapping[str, bytes]:
    auths = {"auths": {registry.host: {"username": registry.username, "password": password}}}
    return {".dockerconfigjson": json.dumps(auths).encode()}


async def test_artifact_of_many_is_asked_for_and_brought_once(world: SourceWorld, registry: Registry) -> None:
    made = registry.artifact(layer({"a.yaml": b"a"}), tag="latest")
    objects = Objects(oci, "OCIRepository", world)

    found = await objects.synced(*objects.many({"url": registry.url}))

    assert objects.one_tree(found) == {"a.yaml": b"a"}
    assert [p.partition("/team/app")[2] for p in registry.paths if "/team/app" in p] == [
        "/manifests/latest",
        f"/manifests/{made}",
        f"/blobs/{next(d for d, data in registry.blobs.items() if data != b'{}')}",
    ]


async def test_who_comes_a_moment_later_shares_what_was_brought(world: SourceWorld, registry: Registry) -> None:
    registry.artifact(layer({"a.yaml": b"a"}), tag="latest")
    objects = Objects(oci, "OCIRepository", world)
    await objects.synced(objects.read({"url": registry.url}, "first"))
    registry.requests.clear()

    await objects.synced(objects.read({"url": registry.url}, "second"))
    await objects.synced(objects.read({"url": registry.url, "ignore": "*.md"}, "third"))

    assert sum("/blobs/" in path for path in registry.paths) == 1


async def test_artifact_that_another_login_opened_stays_closed(world: SourceWorld, registry: Registry) -> None:
    registry.artifact(layer({"a.yaml": b"a"}), tag="latest")
    registry.login = "basic"
    world.secrets.data |= {"good": docker(registry, registry.password), "bad": docker(registry, "guessed")}
    objects = Objects(oci, "OCIRepository", world)

    good, bad, none = await objects.synced(
        objects.read({"url": registry.url, "secretRef": {"name": "good"}}, "owner"),
        objects.read({"url": registry.url, "secretRef": {"name": "bad"}}, "guest"),
        objects.read({"url": registry.url}, "stranger"),
    )

    assert isinstance(good, Stored)
    assert [error.reason for error in (bad, none) if isinstance(error, GitopsdError)] == ["AuthenticationFailed"] * 2


async def test_index_of_many_is_fetched_once_and_polled_once(world: SourceWorld, site: Site) -> None:
    site.files["/index.yaml"] = charts.index({"web": [{"name": "web", "version": "1.0.0", "urls": ["web.tgz"]}]})
    objects = Objects(helm, "HelmRepository", world)
    intents = objects.many({"url": site.url})

    first = await objects.synced(*intents)
    again = await objects.synced(*intents)

    assert objects.one_tree(first) == objects.one_tree(again)
    assert [(asked.path, asked.status) for asked in site.asked] == [("/index.yaml", 200), ("/index.yaml", 304)]


async def test_who_is_slow_to_read_its_credentials_shares_the_poll(world: SourceWorld, site: Site) -> None:
    site.files["/index.yaml"] = charts.index({"web": [{"name": "web", "version": "1.0.0", "urls": ["web.tgz"]}]})
    world.secrets.data["login"] = {"username": b"ada", "password": b"hush"}
    objects = Objects(helm, "HelmRepository", world)
    quick, slow = objects.many({"url": site.url, "secretRef": {"name": "login"}})[:2]
    secrets = SlowSecrets(world.secrets)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(objects.source.resolve, slow, replace(world.ctx, credentials=secrets))
        await anyio.lowlevel.checkpoint()
        await objects.source.resolve(quick, world.ctx)
        secrets.others_answered.set()

    assert site.paths() == ["/index.yaml"]


async def test_index_that_another_login_opened_stays_closed(world: SourceWorld, site: Site) -> None:
    site.files["/index.yaml"] = charts.index({})
    site.authorization = "Basic " + base64.b64encode(b"ada:hush").decode()
    world.secrets.data |= {
        "good": {"username": b"ada", "password": b"hush"},
        "bad": {"username": b"ada", "password": b"guessed"},
    }
    objects = Objects(helm, "HelmRepository", world)

    good, bad = await objects.synced(
        objects.read({"url": site.url, "secretRef": {"name": "good"}}, "owner"),
        objects.read({"url": site.url, "secretRef": {"name": "bad"}}, "guest"),
    )

    assert isinstance(good, Stored)
    assert isinstance(bad, GitopsdError)
    assert len(site.asked) == 2


async def test_chart_of_many_is_brought_once(world: SourceWorld, site: Site) -> None:
    site.files["/web.tgz"] = charts.packed(charts.files())
    site.files["/index.yaml"] = charts.index({"web": [{"name": "web", "version": "1.0.0", "urls": ["web.tgz"]}]})
    repositories, objects = Objects(helm, "HelmRepository", world), Objects(helm, "HelmChart", world)
    intents = objects.many({"chart": "web", "sourceRef": {"kind": "HelmRepository", "name": "charts"}})
    for intent in intents:
        of = repositories.read({"url": site.url}, intent.ref.namespace, "charts")
        upstream = Upstream(intent=of, artifact=world.artifact(of, *await world.sync(repositories.source, of)))
        objects.ctx[intent.ref] = replace(world.ctx, sources={of.ref: upstream})
    site.asked.clear()

    found = await objects.synced(*intents)

    assert objects.one_tree(found) == charts.files()
    assert site.paths() == ["/web.tgz"]


async def test_chart_of_a_registry_is_asked_for_and_brought_once(world: SourceWorld) -> None:
    repositories, objects = Objects(helm, "HelmRepository", world), Objects(helm, "HelmChart", world)
    source = {"kind": "HelmRepository", "name": "charts"}
    intents = objects.many({"chart": "web", "version": "1.x", "sourceRef": source})
    with serving(Registry(repository="team/web")) as registry:
        registry.artifact(charts.packed(charts.files()), tag="1.0.0", media_type=CHART)
        for intent in intents:
            spec = {"url": f"oci://{registry.host}/team", "type": "oci"}
            of = repositories.read(spec, intent.ref.namespace, "charts")
            objects.ctx[intent.ref] = replace(world.ctx, sources={of.ref: Upstream(intent=of, artifact=None)})

        found = await objects.synced(*intents)

    assert objects.one_tree(found) == charts.files()
    assert sum("tags/list" in path for path in registry.paths) == 2  # each step looks which version is meant
    assert sum("/blobs/" in path for path in registry.paths) == 1


LISTING = """<?xml version="1.0"?><ListBucketResult><Name>config</Name><KeyCount>1</KeyCount><IsTruncated>false</IsTruncated>
<Contents><Key>a.yaml</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"1"</ETag><Size>1</Size></Contents>
</ListBucketResult>"""


async def test_bucket_of_many_is_listed_and_brought_once(world: SourceWorld, site: Site) -> None:
    site.files |= {"/config": LISTING.encode(), "/config/a.yaml": b"a"}
    objects = Objects(bucket, "Bucket", world)
    spec = {"endpoint": site.url.removeprefix("http://"), "bucketName": "config", "insecure": True}

    found = await objects.synced(*objects.many(spec))

    assert objects.one_tree(found) == {"a.yaml": b"a"}
    assert site.paths() == ["/config", "/config", "/config/a.yaml"]  # the poll; the fetch lists it again


async def test_bucket_that_others_keys_opened_is_asked_with_ones_own(world: SourceWorld, site: Site) -> None:
    site.files |= {"/config": LISTING.encode(), "/config/a.yaml": b"a"}
    world.secrets.data |= {name: {"accesskey": b"ada", "secretkey": name.encode()} for name in ("one", "other")}
    objects = Objects(bucket, "Bucket", world)
    spec = {"endpoint": site.url.removeprefix("http://"), "bucketName": "config", "insecure": True}

    await objects.synced(*(objects.read({**spec, "secretRef": {"name": name}}, name) for name in ("one", "other")))

    assert site.paths().count("/config") == 4
    assert site.paths().count("/config/a.yaml") == 2
    assert len({asked.authorization for asked in site.asked if asked.path == "/config"}) >= 2


def made(url: str, data: bytes, **metadata: str) -> Mapping[str, Any]:
    """The status of an ExternalArtifact."""
    named = digest(data)
    return {"status": {"artifact": {"url": url, "digest": named, "revision": f"a@{named}", "metadata": metadata}}}


async def test_external_artifact_of_many_is_brought_once(world: SourceWorld, site: Site) -> None:
    data = site.files["/a.tar.gz"] = layer({"a.yaml": b"a"})
    objects = Objects(external, "ExternalArtifact", world)
    intents = [objects.read(made(f"{site.url}/a.tar.gz", data, of=f"{number}"), f"{number}") for number in range(MANY)]

    found = await objects.synced(*intents)

    assert objects.one_tree(found) == {"a.yaml": b"a"}
    assert [stored.metadata for stored in found if isinstance(stored, Stored)] == [
        {"of": f"{number}"} for number in range(MANY)
    ]
    assert site.paths() == ["/a.tar.gz"]


async def test_external_artifact_is_brought_by_an_address_that_opens_it(world: SourceWorld, site: Site) -> None:
    data = site.files["/a.tar.gz"] = layer({"a.yaml": b"a"})
    objects = Objects(external, "ExternalArtifact", world)

    await objects.synced(
        *(objects.read(made(f"{site.url}/a.tar.gz?signed={name}", data), name) for name in ("one", "other"))
    )

    assert site.paths() == ["/a.tar.gz"] * 2

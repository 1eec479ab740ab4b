"""What a source may bring at most: each kind gives up in a message with the object, the place, the cause and the remedy.

The limits are lowered in the orders that go to the worker processes, so that nothing large has to be made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import msgspec
import pytest
from fakes import charts
from fakes.git_repository import GitRepository
from fakes.git_server import http_server
from fakes.registry import Registry, digest, layer, serving
from fakes.source_world import SourceWorld, ThreadWork, source_world
from fakes.web_server import Site, web_server

from gitopsd.plugin import Context, Declared, Digest, ObjectRef, Place, Rejected, SourceIntent, Transient, Upstream
from gitopsd.plugin import folder as folders
from gitopsd.plugin.sources import download, local
from gitopsd_plugins import bucket, external, git, helm, oci
from gitopsd_plugins.helm import index, package, pulled, repository_source

pytestmark = pytest.mark.asyncio

MIB = 1 << 20
LARGE = Random(1).randbytes(2 * MIB)
FILES = {"big.bin": LARGE, "deploy/a.yaml": b"a", "deploy/b.yaml": b"b"}
PLUGINS: Mapping[str, ModuleType] = {
    "GitRepository": git,
    "OCIRepository": oci,
    "Bucket": bucket,
    "ExternalArtifact": external,
    "HelmRepository": helm,
    "HelmChart": helm,
}


class LowLimits(ThreadWork):
    """Runs jobs with other limits than those of their orders."""

    def __init__(self, work: ThreadWork, limits: Mapping[str, int]) -> None:
        super().__init__(work.intake)
        self._limits = limits

    async def run(self, job: str, payload: bytes, *, timeout: float, memory: int = 0) -> bytes:
        try:
            order = msgspec.msgpack.decode(payload, type=dict[str, Any])
        except (msgspec.ValidationError, msgspec.DecodeError):  # an order without limits
            return await super().run(job, payload, timeout=timeout)
        held = order.get("how", order)
        held["limits"] = {**held.get("limits", {}), **self._limits}
        return await super().run(job, msgspec.msgpack.encode(order), timeout=timeout)


@dataclass
class Stage:
    """A host for each kind of source, with the same files behind it."""

    world: SourceWorld
    folder: Path
    stack: ExitStack

    def read(self, kind: str, spec: Mapping[str, Any], **more: Any) -> SourceIntent:
        document = {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": kind,
            "metadata": {"name": "app", "namespace": "flux-system"},
            "spec": spec,
            **more,
        }
        ref = ObjectRef(kind=kind, namespace="flux-system", name="app")
        kinds = {one.kind: one for one in PLUGINS[kind].gitopsd_kinds()}
        found = kinds[kind].read(Declared(ref=ref, document=document, place=Place(file="a.yaml"), spec=Digest("s")))
        assert isinstance(found, SourceIntent)
        return found

    def source(self, intent: SourceIntent) -> Any:
        return {one.kind: one for one in PLUGINS[intent.ref.kind].gitopsd_sources()}[intent.ref.kind]

    async def bring(self, intent: SourceIntent, ctx: Context) -> None:
        source = self.source(intent)
        await source.fetch(intent, await source.resolve(intent, ctx), None, ctx)

    def written(self) -> Path:
        """A folder with the files."""
        work = self.folder / "work"
        for name, data in FILES.items():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_bytes(data)
        return work

    def site(self, files: Mapping[str, bytes]) -> Site:
        return self.stack.enter_context(web_server(Site(files=dict(files))))

    def repository(self, files: Mapping[str, bytes]) -> GitRepository:
        made = GitRepository(self.folder / "app.git")
        made.commit(dict(files))
        return made

    def git(self, files: Mapping[str, bytes] = FILES) -> SourceIntent:
        server = self.stack.enter_context(http_server(self.repository(files).path))
        return self.read("GitRepository", {"url": server.url, "ref": {"branch": "main"}, "interval": "1m"})

    def local(self) -> SourceIntent:
        url = self.repository(FILES).url
        return self.read("GitRepository", {"url": url, "ref": {"branch": "main"}, "interval": "1m"})

    def oci(self, files: Mapping[str, bytes] = FILES) -> SourceIntent:
        registry = self.stack.enter_context(serving(Registry()))
        registry.artifact(layer(files), tag="latest")
        return self.read("OCIRepository", {"url": registry.url, "interval": "1m"})

    def external(self, files: Mapping[str, bytes] = FILES) -> SourceIntent:
        data = layer(files)
        site = self.site({"/a.tar.gz": data})
        made = {"url": f"{site.url}/a.tar.gz", "digest": digest(data), "revision": f"a@{digest(data)}"}
        return self.read("ExternalArtifact", {}, status={"artifact": made})

    def bucket(self, files: Mapping[str, bytes] = FILES) -> SourceIntent:
        objects = "".join(
            f"<Contents><Key>{name}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f'<ETag>"1"</ETag><Size>{len(data)}</Size></Contents>'
            for name, data in files.items()
        )
        listing = f"<ListBucketResult><Name>apps</Name><IsTruncated>false</IsTruncated>{objects}</ListBucketResult>"
        site = self.site({"/apps": listing.encode(), **{f"/apps/{name}": data for name, data in files.items()}})
        at = {"endpoint": site.url.removeprefix("http://"), "insecure": True}
        return self.read("Bucket", {"bucketName": "apps", "interval": "1m", **at})

    def index(self, data: bytes) -> SourceIntent:
        return self.read("HelmRepository", {"url": self.site({"/index.yaml": data}).url})

    async def chart(self) -> tuple[SourceIntent, Context]:
        packed = charts.packed({**charts.files(), "big.bin": LARGE})
        listed = charts.index({"web": [charts.entry("1.0.0", packed, "web.tgz")]})
        of = self.read("HelmRepository", {"url": self.site({"/index.yaml": listed, "/web.tgz": packed}).url})
        artifact = self.world.artifact(of, *await self.world.sync(self.source(of), of))
        upstream = {of.ref: Upstream(intent=of, artifact=artifact)}
        spec = {"chart": "web", "interval": "1m", "sourceRef": {"kind": "HelmRepository", "name": "app"}}
        return self.read("HelmChart", spec), replace(self.world.ctx, sources=upstream)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(stack.enter_context(source_world(tmp_path)), tmp_path, stack)


Scene = Callable[..., SourceIntent]
LEAVE_OUT = r"leave some out with spec\.ignore, or name the folders that are needed in spec\.sparseCheckout"
REFUSED: Mapping[str, tuple[Scene, Mapping[str, int], str]] = {
    "Git, entries": (
        Stage.git,
        {"entries": 3},
        r"http://127\.0\.0\.1:\d+/team/app\.git: more than 3 files and folders; name the folders that are needed in spec\.sparseCheckout, or .*",
    ),
    "Git, one file": (Stage.git, {"file": MIB}, r"big\.bin: more than 1 MiB; leave it out with spec\.ignore"),
    "Git, all files": (Stage.git, {"total": MIB}, rf"http://.*/app\.git: more than 1 MiB of files; {LEAVE_OUT}"),
    "Git, download": (
        Stage.git,
        {"download": MIB},
        r"http://.*/app\.git sent more than 1 MiB for one commit; keep large files in a bucket or a registry",
    ),
    "Git in a folder, entries": (
        Stage.local,
        {"entries": 3},
        r"file:///.*/app\.git: more than 3 files and folders; name the folders that are needed in spec\.sparseCheckout, or .*",
    ),
    "Git in a folder, all files": (Stage.local, {"total": MIB}, rf"file:///.*: more than 1 MiB of files; {LEAVE_OUT}"),
    "OCI, entries": (
        Stage.oci,
        {"entries": 2},
        r"the layer of oci://127\.0\.0\.1:\d+/team/app: holds more than 2 entries; pack fewer, or split it",
    ),
    "OCI, one file": (
        Stage.oci,
        {"file": MIB},
        r"the layer of oci://.*/team/app: big\.bin: more than 1 MiB; leave it out of the archive",
    ),
    "OCI, all files": (
        Stage.oci,
        {"total": MIB},
        r"the layer of oci://.*: holds more than 1 MiB; pack less, or split it",
    ),
    "external, entries": (
        Stage.external,
        {"entries": 2},
        r"http://127\.0\.0\.1:\d+/a\.tar\.gz: holds more than 2 entries; pack fewer, or split it",
    ),
    "external, one file": (
        Stage.external,
        {"file": MIB},
        r"http://.*/a\.tar\.gz: big\.bin: more than 1 MiB; leave it out of the archive",
    ),
    "external, all files": (
        Stage.external,
        {"total": MIB},
        r"http://.*/a\.tar\.gz: holds more than 1 MiB; pack less, or split it",
    ),
    "bucket, entries": (
        Stage.bucket,
        {"objects": 2},
        r'bucket "apps" at http://127\.0\.0\.1:\d+: more than 2 objects; narrow spec\.prefix',
    ),
    "bucket, one object": (Stage.bucket, {"file": MIB}, r"big\.bin: more than 1 MiB; leave it out with spec\.ignore"),
    "bucket, all objects": (
        Stage.bucket,
        {"total": MIB},
        r'bucket "apps" at http://.*: more than 1 MiB of objects; narrow spec\.prefix or spec\.ignore',
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_source_that_brings_too_much_is_refused_with_the_remedy(stage: Stage, case: str) -> None:
    scene, limits, words = REFUSED[case]
    intent, world = scene(stage), stage.world
    low = replace(world.ctx, work=LowLimits(world.work, limits))

    with pytest.raises(Rejected, match=f"^{intent.ref}: {words}$"):
        await stage.bring(intent, low)

    assert world.intake.added == [] or "entries" not in case


NAMES: Mapping[str, tuple[str, str]] = {
    "deep": (
        "d/" * 120 + "x",
        r"d/d/.*: (deeper than 100 (folders|directories); nest|a name that .* too deep; leave it)",
    ),
    "long": ("/".join(["x" * 200] * 25), r"xxx.*: a name that is too long( or too deep; leave it out|; shorten it)"),
}


@pytest.mark.parametrize("kind", [Stage.git, Stage.oci, Stage.external, Stage.bucket])
@pytest.mark.parametrize("case", NAMES)
async def test_name_that_is_too_deep_or_too_long_is_refused(stage: Stage, kind: Scene, case: str) -> None:
    name, words = NAMES[case]
    intent = kind(stage, {name: b"x"})

    with pytest.raises(Rejected, match=f"^{intent.ref}: .*{words}") as caught:
        await stage.bring(intent, stage.world.ctx)

    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("kind", [Stage.oci, Stage.external])
async def test_archive_that_grows_beyond_all_reason_is_refused(stage: Stage, kind: Scene) -> None:
    intent = kind(stage, {"zeros": bytes(40 * MIB)})

    with pytest.raises(Rejected, match=rf"^{intent.ref}: .*: grows to more than 200 times .*; compress it less$"):
        await stage.bring(intent, stage.world.ctx)


async def test_artifact_that_is_larger_than_any_is_refused_while_it_comes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", MIB)
    intent = stage.external()

    with pytest.raises(Rejected, match=r"/a\.tar\.gz has more than 1 MiB; pack less, or split it$"):
        await stage.bring(intent, stage.world.ctx)


async def test_index_that_is_too_large_is_refused_while_it_comes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository_source, "MAX_INDEX", MIB)
    intent = stage.index(b"#" * 2 * MIB)

    with pytest.raises(
        Rejected, match=rf"^{intent.ref}: http://.*/index\.yaml: more than 1 MiB; .* split the repo"
    ) as caught:
        await stage.bring(intent, stage.world.ctx)

    assert caught.value.reason == "IndexationFailed"


async def test_index_of_too_many_charts_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "MAX_CHARTS", 1)
    intent = stage.index(charts.index({"a": [charts.entry("1.0.0")], "b": [charts.entry("1.0.0")]}))

    with pytest.raises(
        Rejected, match=rf"^{intent.ref}: http://.*/index\.yaml: .*more than 1 charts; split the repository$"
    ):
        await stage.bring(intent, stage.world.ctx)


CHARTS: Mapping[str, tuple[Mapping[str, int], str]] = {
    "entries": ({"entries": 2}, r"holds more than 2 entries; pack fewer, or split it"),
    "one file": ({"file": MIB}, r"big\.bin: more than 1 MiB; leave it out of the archive"),
    "all files": ({"total": MIB}, r"holds more than 1 MiB; pack less, or split it"),
}


@pytest.mark.parametrize("case", CHARTS)
async def test_chart_that_holds_too_much_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    limits, words = CHARTS[case]
    monkeypatch.setattr(package, "LIMITS", replace(package.LIMITS, **limits))
    intent, ctx = await stage.chart()

    with pytest.raises(Rejected, match=rf"^{intent.ref}: the chart web 1\.0\.0: {words}$"):
        await stage.bring(intent, ctx)


async def test_packed_chart_that_is_too_large_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulled, "MAX_CHART", MIB)
    intent, ctx = await stage.chart()

    with pytest.raises(Rejected, match=rf"^{intent.ref}: http://.*/web\.tgz: more than 1 MiB; .* with \.helmignore$"):
        await stage.bring(intent, ctx)


@pytest.mark.parametrize("kind", [Stage.git, Stage.bucket, Stage.external])
async def test_local_folder_of_too_many_entries_is_refused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, kind: Scene
) -> None:
    monkeypatch.setattr(local, "MAX_ENTRIES", 3)
    work = stage.written()
    intent, world = kind(stage), stage.world
    low = replace(world.ctx, work=LowLimits(world.work, {"entries": 2}))

    with pytest.raises(Rejected, match=rf"^{intent.ref}: {work}: more than [23] files.*; .*name a smaller folder$"):
        await stage.source(intent).folder(intent, work, low)


async def test_local_folder_as_an_artifact_is_limited_as_any_archive(stage: Stage) -> None:
    work = stage.written()
    intent, world = stage.oci(), stage.world
    low = replace(world.ctx, work=LowLimits(world.work, {"entries": 2}))

    with pytest.raises(Rejected, match=rf"^{intent.ref}: .*: holds more than 2 entries; pack fewer, or split it$"):
        await stage.source(intent).folder(intent, work, low)


async def test_directory_of_too_many_entries_is_not_listed_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MAX_ENTRIES", 2)
    for name in "abc":
        (tmp_path / name).touch()

    with pytest.raises(Transient, match=r"^\.: more than 2 entries; name a smaller folder$"):
        folders.LocalFolder(tmp_path).node(folders.LocalFolder(tmp_path).root)

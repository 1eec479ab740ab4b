"""A host for each kind of source, with files of a test's choice behind it, and the object that follows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

from fakes import charts
from fakes.git_repository import GitRepository
from fakes.git_server import http_server
from fakes.registry import Registry, digest, layer, serving
from fakes.source_world import SourceWorld, source_world
from fakes.web_server import Site, web_server

from gitopsd.plugin import Context, Declared, Digest, ObjectRef, Place, SourceIntent, Upstream
from gitopsd_plugins import bucket, external, git, helm, oci

MIB = 1 << 20
LARGE = Random(1).randbytes(2 * MIB)
FILES = {"big.bin": LARGE, "deploy/a.yaml": b"a", "deploy/b.yaml": b"b"}
CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
PLUGINS: Mapping[str, ModuleType] = {
    "GitRepository": git,
    "OCIRepository": oci,
    "Bucket": bucket,
    "ExternalArtifact": external,
    "HelmRepository": helm,
    "HelmChart": helm,
}


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

    def oci(self, files: Mapping[str, bytes] = FILES, *, packed: bytes = b"") -> SourceIntent:
        registry = self.stack.enter_context(serving(Registry()))
        registry.artifact(packed or layer(files), tag="latest")
        return self.read("OCIRepository", {"url": registry.url, "interval": "1m"})

    def external(self, files: Mapping[str, bytes] = FILES, *, packed: bytes = b"") -> SourceIntent:
        data = packed or layer(files)
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

    async def chart(self, packed: bytes = b"") -> tuple[SourceIntent, Context]:
        """In a repository over http."""
        data = packed or charts.packed({**charts.files(), "big.bin": LARGE})
        listed = charts.index({"web": [charts.entry("1.0.0", data, "web.tgz")]})
        of = self.read("HelmRepository", {"url": self.site({"/index.yaml": listed, "/web.tgz": data}).url})
        artifact = self.world.artifact(of, *await self.world.sync(self.source(of), of))
        return self._chart("web", Upstream(intent=of, artifact=artifact))

    async def chart_in_registry(self, packed: bytes) -> tuple[SourceIntent, Context]:
        """In a registry."""
        registry = self.stack.enter_context(serving(Registry(repository="team/web")))
        registry.artifact(packed, tag="1.0.0", media_type=CHART)
        of = self.read("HelmRepository", {"url": f"oci://{registry.host}/team", "type": "oci"})
        return self._chart("web", Upstream(intent=of, artifact=None))

    async def chart_in_artifact(self, packed: bytes) -> tuple[SourceIntent, Context]:
        """Packed, among the files of a Git repository."""
        of = self.git({"web.tgz": packed})
        of = replace(of, spec=replace(of.spec, ignore="!*"))  # archives are left out by Flux's rules
        artifact = self.world.artifact(of, *await self.world.sync(self.source(of), of))
        return self._chart("web.tgz", Upstream(intent=of, artifact=artifact))

    def _chart(self, name: str, upstream: Upstream) -> tuple[SourceIntent, Context]:
        of = upstream.intent.ref
        spec = {"chart": name, "version": "1.0.0", "interval": "1m", "sourceRef": {"kind": of.kind, "name": of.name}}
        intent = self.read("HelmChart", spec)
        own = Upstream(intent=intent, artifact=None, generation=1)
        return intent, replace(self.world.ctx, sources={of: upstream, intent.ref: own})


@contextmanager
def source_stage(folder: Path) -> Iterator[Stage]:
    """A stage over a store in this folder."""
    with ExitStack() as stack:
        yield Stage(stack.enter_context(source_world(folder)), folder, stack)

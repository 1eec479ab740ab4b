"""A static chart repository, a context over the real store, and documents of Helm's kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from fakes.source_world import SourceWorld, source_world
from fakes.web_server import Site, web_server

from gitopsd.plugin import (
    Changes,
    Content,
    Context,
    Declared,
    Digest,
    ObjectRef,
    Place,
    Revision,
    SourceIntent,
    Upstream,
)
from gitopsd_plugins.helm.chart_kind import HelmChart
from gitopsd_plugins.helm.chart_source import ChartSource
from gitopsd_plugins.helm.repository_kind import HelmRepository
from gitopsd_plugins.helm.repository_source import RepositorySource

MINUTE = timedelta(minutes=1)


def declared(kind: str, spec: Mapping[str, Any], name: str = "charts") -> Declared:
    """A document of Flux's source group."""
    document = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "flux-system"},
        "spec": dict(spec),
    }
    ref = ObjectRef(kind=kind, namespace="flux-system", name=name)
    return Declared(ref=ref, document=document, place=Place(file="app.yaml", line=1), spec=Digest("sha256:0"))


@pytest.fixture
def repository():
    """Reads a HelmRepository with this spec."""
    return lambda name="charts", **spec: HelmRepository().read(
        declared("HelmRepository", {"url": "https://charts.example.org", "interval": "1m", **spec}, name)
    )


@pytest.fixture
def document():
    return declared


@pytest.fixture
def world(tmp_path) -> Iterator[SourceWorld]:
    with source_world(tmp_path) as found:
        yield found


@pytest.fixture
def site() -> Iterator[Site]:
    with web_server() as served:
        yield served


@dataclass
class Charts:
    """The source of charts, and the sources beside it in its namespace."""

    world: SourceWorld
    beside: dict[ObjectRef, Upstream] = field(default_factory=dict)
    source: ChartSource = field(default_factory=lambda: ChartSource(RepositorySource()))

    async def repository(self, intent: SourceIntent) -> None:
        """Bring a HelmRepository up to date, and let charts see it."""
        artifact = None
        if not intent.bare:
            artifact = self.world.artifact(intent, *await self.world.sync(RepositorySource(), intent))
        self.beside[intent.ref] = Upstream(intent=intent, artifact=artifact)

    def artifact(self, files: Mapping[str, bytes], revision: str = "main@sha1:" + "a1" * 20) -> None:
        """A GitRepository `repo` with these files."""
        store = self.world.store
        stored = store.put(
            Changes(entries=dict(zip(files, store.add(Content(data=d) for d in files.values()), strict=True)))
        )
        ref = ObjectRef(kind="GitRepository", namespace="flux-system", name="repo")
        intent = SourceIntent(ref=ref, spec=None, content=Digest("c"), interval=MINUTE, timeout=MINUTE)
        artifact = self.world.artifact(intent, Revision.parse(revision), stored)
        self.beside[ref] = Upstream(intent=intent, artifact=artifact)

    def ctx(self, intent: SourceIntent, generation: int = 1) -> Context:
        own = {intent.ref: Upstream(intent=intent, artifact=None, generation=generation)}
        return replace(self.world.ctx, sources={**self.beside, **own})

    async def resolve(self, intent: SourceIntent) -> str:
        return str(await self.source.resolve(intent, self.ctx(intent)))

    async def sync(self, intent: SourceIntent, generation: int = 1) -> tuple[str, dict[str, bytes]]:
        """The revision and the files of the chart."""
        ctx = self.ctx(intent, generation)
        revision = await self.source.resolve(intent, ctx)
        stored = await self.source.fetch(intent, revision, None, ctx)
        return str(revision), self.world.files(stored.tree)


@pytest.fixture
def charts(world) -> Charts:
    return Charts(world)


@pytest.fixture
def chart():
    """Reads a HelmChart with this spec; of the chart `web` in the HelmRepository `charts` unless it says otherwise."""

    def read(name: str = "app", **spec: Any) -> SourceIntent:
        given = {"chart": "web", "interval": "1m", "sourceRef": {"kind": "HelmRepository", "name": "charts"}, **spec}
        found = HelmChart().read(declared("HelmChart", given, name))
        assert isinstance(found, SourceIntent)
        return found

    return read

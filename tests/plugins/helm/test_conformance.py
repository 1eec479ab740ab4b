"""The sources of Helm's kinds keep what the role promises: an index is made of what is published, and a chart goes around it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from fakes import charts as packing
from fakes.registry import Registry, serving

from gitopsd.plugin import Context, SourceIntent
from gitopsd.plugin.conformance.source import SourceSuite, Upstream
from gitopsd_plugins.helm.repository_source import RepositorySource

PASSWORD = "hush-hush"
BASIC = "Basic YWRhOmh1c2gtaHVzaA=="
LOST = "lost"
NOWHERE = "127.0.0.2:9"
CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
Files = Mapping[str, bytes]


class Published:
    """What has been published by now, and what follows from that at each time."""

    def __init__(self, follow: Callable[[Files], None]) -> None:
        self.files: dict[str, bytes] = {}
        self._follow = follow

    def __call__(self, changes: Mapping[str, bytes | None]) -> None:
        files = {**self.files, **changes}
        self.files = {path: data for path, data in files.items() if data is not None}
        self._follow(self.files)


def as_chart(files: Files) -> dict[str, bytes]:
    """A chart with these files in it, of a version that no other files have."""
    content = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()
    version = f"1.0.{int(content[:6], 16)}"
    return {"Chart.yaml": f"apiVersion: v2\nname: web\nversion: {version}\n".encode(), **files}


def version(files: Files) -> str:
    return as_chart(files)["Chart.yaml"].split()[-1].decode()


class TestRepository(SourceSuite):
    """Each file that is published stands for a chart of its name."""

    @pytest.fixture
    def upstream(self, world, site, repository) -> Upstream:
        site.authorization = BASIC

        def serve(files: Files) -> None:
            site.files["/index.yaml"] = packing.index(
                {name(path): [packing.entry("1.0.0", data, f"{name(path)}.tgz")] for path, data in files.items()}
            )

        return Upstream(
            source=RepositorySource(),
            ctx=world.ctx,
            intake=world.intake,
            intent=repository(url=site.url, secretRef={"name": "login"}),
            lost=repository(url=f"http://{NOWHERE}", secretRef={"name": "login"}),
            publish=Published(serve),
            secrets=[PASSWORD],
            made=_index,
        )


def name(path: str) -> str:
    return path.replace("/", "-").replace(" ", "_")


def _index(files: Files) -> Files:
    made = {}
    for path, data in files.items():
        known = {"version": "1.0.0", "urls": [f"{name(path)}.tgz"], "digest": "", "created": ""}
        if data:
            known["digest"] = hashlib.sha256(data).hexdigest()
        made[f"charts/{quote(name(path), safe='')}.json"] = json.dumps([known], separators=(",", ":")).encode()
    return made


def _chart_source(charts: Any, lost: SourceIntent, intent: SourceIntent, serve: Callable[[Files], None]) -> Upstream:
    """The source of charts; what they are made of is looked at anew each time, and what that adds to the store is not theirs."""
    added, published = charts.world.intake.added, Published(serve)

    async def now() -> tuple[SourceIntent, Context]:
        before = list(added)
        for ref, beside in list(charts.beside.items()):
            if ref.kind == "HelmRepository" and ref.name != LOST and not beside.intent.bare:
                await charts.repository(beside.intent)
        added[:] = before
        return intent, charts.ctx(intent)

    return Upstream(
        source=charts.source,
        ctx=charts.ctx(lost),
        intake=charts.world.intake,
        intent=intent,
        lost=lost,
        publish=published,
        secrets=[PASSWORD],
        made=as_chart,
        now=now,
    )


@pytest.fixture
def of(chart) -> Callable[[str], SourceIntent]:
    """Reads a HelmChart out of the HelmRepository of this name."""
    return lambda name: chart(name, sourceRef={"kind": "HelmRepository", "name": name})


@pytest.fixture(autouse=True)
def login(world) -> None:
    world.secrets.data["login"] = {"username": b"ada", "password": PASSWORD.encode()}


class TestChartOfRepository(SourceSuite):
    """What is published becomes one chart, and the index knows that one only."""

    @pytest_asyncio.fixture
    async def upstream(self, charts, site, repository, of) -> Upstream:
        site.authorization = BASIC

        def serve(files: Files) -> None:
            data = packing.packed(as_chart(files))
            site.files["/web.tgz"] = data
            site.files["/index.yaml"] = packing.index({"web": [packing.entry(version(files), data, "web.tgz")]})

        serve({})
        there = repository(url=site.url, secretRef={"name": "login"})
        gone = repository(LOST, url=f"http://{NOWHERE}", secretRef={"name": "login"})
        await charts.repository(there)
        charts.beside[gone.ref] = replace(charts.beside[there.ref], intent=gone)
        return _chart_source(charts, of(LOST), of("charts"), serve)


class TestChartOfRegistry(SourceSuite):
    """The same as the only tag of a registry."""

    @pytest_asyncio.fixture
    async def upstream(self, charts, repository, of) -> AsyncIterator[Upstream]:
        with serving(Registry(repository="team/web", username="ada", password=PASSWORD, login="basic")) as registry:

            def serve(files: Files) -> None:
                registry.tags.clear()
                registry.artifact(packing.packed(as_chart(files)), tag=version(files), media_type=CHART)

            oci: dict[str, Any] = {"type": "oci", "insecure": True, "secretRef": {"name": "login"}}
            await charts.repository(repository(url=f"oci://{registry.host}/team", **oci))
            await charts.repository(repository(LOST, url=f"oci://{NOWHERE}/team", **oci))
            yield _chart_source(charts, of(LOST), of("charts"), serve)


class TestChartInArtifact(SourceSuite):
    """The same as a folder of a GitRepository. Its files are in the store already; what it needs from elsewhere is asked for."""

    @pytest_asyncio.fixture
    async def upstream(self, charts, repository, chart_of) -> Upstream:
        def serve(files: Files) -> None:
            charts.artifact({f"charts/web/{path}": data for path, data in as_chart(files).items()})

        needs = f"dependencies: [{{name: db, version: 1.x, repository: 'oci://{NOWHERE}/team'}}]\n".encode()
        charts.artifact({"charts/web/Chart.yaml": as_chart({})["Chart.yaml"] + needs})
        [there] = charts.beside.values()
        source = replace(there.intent.ref, name=LOST)
        charts.beside[source] = replace(there, intent=replace(there.intent, ref=source))
        oci: dict[str, Any] = {"type": "oci", "insecure": True, "secretRef": {"name": "login"}}
        await charts.repository(repository(LOST, url=f"oci://{NOWHERE}/team", **oci))
        return _chart_source(charts, chart_of(LOST), chart_of("repo"), serve)

    @pytest.fixture
    def chart_of(self, chart: Any) -> Callable[[str], SourceIntent]:
        """Reads a HelmChart out of the GitRepository of this name."""
        return lambda name: chart(name, chart="charts/web", sourceRef={"kind": "GitRepository", "name": name})

"""What a plan asks of a chart: another version, or a local folder in its place."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_asyncio
from fakes import charts as made

from gitopsd.plugin import AnyFolder, AnyRevision, UsageError
from gitopsd_plugins.helm.chart_source import ChartSource
from gitopsd_plugins.helm.repository_source import RepositorySource

pytestmark = pytest.mark.asyncio
REPO = {"kind": "GitRepository", "name": "repo"}


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for path, data in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return folder


@pytest_asyncio.fixture
async def published(charts, site, repository):
    """A repository with three versions of the chart `web`."""
    versions = []
    for version in ("1.0.0", "1.4.0", "2.0.0"):
        site.files[f"/web-{version}.tgz"] = made.packed(made.files(version=version))
        versions.append({"name": "web", "version": version, "urls": [f"web-{version}.tgz"]})
    site.files["/index.yaml"] = made.index({"web": versions})
    await charts.repository(repository(url=site.url))


async def test_the_source_offers_both():
    source = ChartSource(RepositorySource())

    assert isinstance(source, AnyRevision)
    assert isinstance(source, AnyFolder)


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize(("asked", "found"), [("1.0.0", "1.0.0"), ("~1", "1.4.0"), (">=1", "2.0.0")])
async def test_another_version_may_be_asked_for(charts, chart, asked, found):
    revision, files = await charts.sync(charts.source.at(chart(version="1.4.0"), asked))

    assert revision == found
    assert files == made.files(version=found)


async def test_version_that_cannot_be_is_refused(charts, chart):
    with pytest.raises(UsageError, match="HelmChart/flux-system/app: 'main'"):
        charts.source.at(chart(), "main")


async def test_chart_in_an_artifact_names_whom_to_ask(charts, chart):
    with pytest.raises(UsageError, match="name a revision of GitRepository/flux-system/repo instead"):
        charts.source.at(chart(chart="web", sourceRef=REPO), "1.0.0")


async def test_local_folder_is_the_chart_itself(charts, chart, tmp_path, site, repository):
    db = made.packed(made.files("db", "1.4.0"), "db")
    site.files |= {
        "/db.tgz": db,
        "/index.yaml": made.index({"db": [{"name": "db", "version": "1.4.0", "urls": ["db.tgz"]}]}),
    }
    await charts.repository(repository(url=site.url))
    needing = f"apiVersion: v2\nname: web\nversion: 9.0.0\ndependencies: [{{name: db, version: 1.x, repository: '{site.url}'}}]\n"
    files = {**made.files(), "Chart.yaml": needing.encode(), ".git/config": b"", "big.yaml": b"size: 7\n"}
    intent = chart(chart="web", valuesFiles=["big.yaml"])

    stored = await charts.source.folder(intent, written(tmp_path / "work", files), charts.ctx(intent))

    found = charts.world.files(stored.tree)
    assert found["Chart.yaml"] == needing.encode()
    assert found["values.yaml"] == b"size: 7\n"
    assert found["charts/db/Chart.yaml"] == made.files("db", "1.4.0")["Chart.yaml"]
    assert not [path for path in found if path.startswith(".git")]


async def test_folder_that_is_not_there_is_named(charts, chart, tmp_path):
    intent = chart()

    with pytest.raises(UsageError, match="none: no such folder"):
        await charts.source.folder(intent, tmp_path / "none", charts.ctx(intent))

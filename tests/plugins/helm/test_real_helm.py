"""The same as the real helm, where it is found: its packages, its choice of versions, its ignore files, its merge of values."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from fakes import charts as made
from fakes.web_server import Site, web_server

from gitopsd.plugin import Misconfigured, yaml

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(not made.HELM, reason="helm is not installed; put it into the PATH, or name it in HELM"),
]
VERSIONS = [
    "0.9.0",
    "1.0.0",
    "1.0.1-rc.1",
    "1.1.0",
    "1.1.0+b",
    "1.2.0-alpha.1",
    "1.2.0",
    "2.0.0-beta",
    "v2.1.0",
    "10.0.0",
]
CONSTRAINTS = [
    "*", "1.0.0", "1", "1.x", "1.1", "~1", "~1.1", "~1.1.0", "^1", "^0.9", "^0", ">1.1", ">=1.1 <2", ">=1.1, <2", ">=1.1,<2.0.0",
    "<1", "<=1.1", "!=1.2.0", "1.0 - 1.1", ">=1.0.1-0", ">1.2.0-alpha", "~1.2.0-0", ">=0.0.0-0", "2.0.0-beta", "<2.0.0-0",
    "1.x || >=10", "=1.1.0", "2.1.0", "v2.1.0", "~>1.1", ">= 10", "=>1.2", ">9999",
]  # fmt: skip


def helm(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    return subprocess.run([made.HELM, *words], capture_output=True, text=True, env=environment, check=False, timeout=50)


@pytest.fixture
def versions(site) -> Site:
    archives = {version: made.packed(made.files(version=version)) for version in VERSIONS}
    site.files = {f"/web-{version}.tgz": data for version, data in archives.items()}
    site.files["/index.yaml"] = made.index({"web": [made.entry(version, data) for version, data in archives.items()]})
    return site


@pytest.mark.timeout(180)
async def test_same_version_is_chosen(charts, versions, repository, chart, tmp_path):
    await charts.repository(repository(url=versions.url))
    differing = {}
    for wanted in CONSTRAINTS:
        shown = helm(tmp_path, "show", "chart", "web", "--repo", versions.url, "--version", wanted)
        theirs = yaml.read(shown.stdout)["version"] if shown.returncode == 0 else None
        try:
            ours = await charts.resolve(chart(version=wanted))
        except Misconfigured:
            ours = None
        if theirs != ours:
            differing[wanted] = theirs, ours

    assert differing == {}


async def test_package_of_helm_is_read_as_what_was_packed(charts, site, repository, chart, tmp_path):
    given = {
        **made.files(),
        ".helmignore": b"*.md\n/ci/\n!keep\n",
        "README.md": b"x",
        "ci/a.yaml": b"",
        "crds/a.yaml": b"a: 1\n",
        "charts/inner/Chart.yaml": b"apiVersion: v2\nname: inner\nversion: 0.1.0\n",
    }
    data = made.packed_by_helm({path: data for path, data in given.items() if path != ".helmignore"}, tmp_path)
    site.files = {"/web-1.0.0.tgz": data, "/index.yaml": made.index({"web": [made.entry("1.0.0", data)]})}
    await charts.repository(repository(url=site.url))

    _, files = await charts.sync(chart())

    assert yaml.read(files.pop("Chart.yaml")) == yaml.read(given["Chart.yaml"])
    assert yaml.read(files.pop("charts/inner/Chart.yaml")) == yaml.read(given["charts/inner/Chart.yaml"])
    assert files == {
        p: given[p] for p in ("README.md", "ci/a.yaml", "crds/a.yaml", "values.yaml", "templates/map.yaml")
    }


IGNORED = {
    "names": "*.md\nsecret.*\n",
    "folders": "ci/\n/docs/\n",
    "rooted": "/top.txt\n/a/b.txt\n",
    "paths": "a/*.txt\na/b/c\n",
    "classes": "[ab].txt\nfile?.txt\n",
    "turned round": "!*\n*.md\n",
    "comments": "# *.yaml\n\n  *.txt  \n",
}


@pytest.mark.parametrize("text", IGNORED.values(), ids=IGNORED)
async def test_ignore_file_leaves_out_what_helm_leaves_out(charts, repository, chart, tmp_path, text):
    paths = [
        "README.md",
        "a/README.md",
        "secret.key",
        "ci/x.yaml",
        "a/ci/x.yaml",
        "docs/x.txt",
        "a/docs/x.txt",
        "top.txt",
    ]
    paths += ["a/top.txt", "a/b.txt", "a/b/c/d.yaml", "a.txt", "b.txt", "c.txt", "file1.txt", "templates/.hidden.yaml"]
    given = {**made.files(), ".helmignore": text.encode(), **dict.fromkeys(paths, b"x: 1\n")}
    if "a/b.txt" in given:
        given.pop("a/b/c/d.yaml" if "rooted" in text else "a/none", None)
    charts.artifact({f"web/{path}": data for path, data in given.items()})

    data = made.packed_by_helm(given, tmp_path)
    with web_server(Site(files={"/web.tgz": data, "/index.yaml": _index(data)})) as site:
        theirs = await _names(charts, repository(url=site.url), chart)

    _, files = await charts.sync(chart(chart="web", sourceRef={"kind": "GitRepository", "name": "repo"}))

    assert set(files) - {".helmignore"} == theirs


def _index(data):
    return made.index({"web": [made.entry("1.0.0", data, "web.tgz")]})


async def _names(charts, repository, chart):
    await charts.repository(repository)
    _, files = await charts.sync(chart())
    return set(files) - {".helmignore"}

"""Charts that a chart needs from repositories which only it names: none is asked that the settings do not allow."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from fakes import charts as made
from fakes.registry import Registry, serving

from gitopsd.plugin import Rejected, Transient
from gitopsd.plugin.reach import Reach

pytestmark = pytest.mark.asyncio
REPO = {"kind": "GitRepository", "name": "repo"}
LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
LOOPBACK = Reach(hosts=("127.0.0.1",), plain=True)


def needing(*dependencies: str, version: str = "1.0.0", lock: str = "") -> dict[str, bytes]:
    lines = "".join(f"- {line}\n" for line in dependencies)
    text = f"apiVersion: v2\nname: web\nversion: {version}\ndependencies:\n{lines}"
    files = {**made.files(), "Chart.yaml": text.encode(), **({"Chart.lock": lock.encode()} if lock else {})}
    return {f"web/{path}": data for path, data in files.items()}


@pytest.fixture
def allow(charts):
    """Lets hosts be asked that only charts name."""

    def allowing(reach: Reach) -> None:
        charts.world.ctx = replace(charts.world.ctx, reach=reach)

    return allowing


@pytest.fixture
def stable(site):
    """A chart repository with `db` in three versions."""
    versions = []
    for version in ("1.0.0", "1.4.0", "2.0.0"):
        data = made.packed(made.files("db", version), "db")
        site.files[f"/stable/db-{version}.tgz"] = data
        digest = hashlib.sha256(data).hexdigest()
        versions.append({"name": "db", "version": version, "urls": [f"db-{version}.tgz"], "digest": digest})
    site.files["/stable/index.yaml"] = made.index({"db": versions})
    return f"{site.url}/stable"


@pytest.mark.parametrize(("wanted", "brought"), [("^1.0", "1.4.0"), ("1.0.0", "1.0.0"), (">=1", "2.0.0")])
async def test_allowed_repository_gives_what_satisfies_the_range(charts, chart, allow, stable, wanted, brought):
    allow(LOOPBACK)
    charts.artifact(needing(f'{{name: db, version: "{wanted}", repository: "{stable}/"}}'))

    _, files = await charts.sync(chart(chart="web", sourceRef=REPO))

    assert files["charts/db/Chart.yaml"] == made.files("db", brought)["Chart.yaml"]


async def test_lock_decides_the_version(charts, chart, allow, stable):
    allow(LOOPBACK)
    needed = f'{{name: db, version: ">=1", repository: "{stable}"}}'
    lock = f"dependencies:\n- {{name: db, version: 1.0.0, repository: '{stable}'}}\n"
    charts.artifact(needing(needed, lock=lock))

    _, files = await charts.sync(chart(chart="web", sourceRef=REPO))

    assert files["charts/db/Chart.yaml"] == made.files("db", "1.0.0")["Chart.yaml"]


async def test_registry_is_asked_without_a_login(charts, chart, allow):
    allow(Reach(hosts=("127.0.0.*",)))
    with serving(Registry(repository="team/db")) as registry:
        registry.artifact(made.packed(made.files("db", "1.4.0"), "db"), tag="1.4.0", media_type=LAYER)
        charts.artifact(needing(f'{{name: db, version: 1.x, repository: "oci://{registry.host}/team"}}'))

        _, files = await charts.sync(chart(chart="web", sourceRef=REPO))

    assert files["charts/db/Chart.yaml"] == made.files("db", "1.4.0")["Chart.yaml"]
    assert {request.authorization for request in registry.requests} == {""}


async def test_index_and_charts_are_asked_for_once(charts, chart, allow, site, stable):
    allow(LOOPBACK)
    needed = [f'{{name: db, alias: {name}, version: 1.0.0, repository: "{stable}"}}' for name in ("one", "two")]
    charts.artifact(needing(*needed))
    await charts.sync(chart(chart="web", sourceRef=REPO))
    charts.artifact(needing(*needed, version="1.1.0"))

    await charts.sync(chart(chart="web", sourceRef=REPO))

    assert site.paths() == ["/stable/index.yaml", "/stable/db-1.0.0.tgz"]


@pytest.mark.parametrize(
    ("reach", "url", "message"),
    [
        (Reach(), "https://charts.example.org", "not among those of the setting remoteResources.hosts"),
        (
            Reach(hosts=("charts.example.org",)),
            "https://charts.example.org.evil.net",
            "'charts.example.org.evil.net' is not",
        ),
        (Reach(hosts=("*",)), "http://charts.example.org", "which the setting remoteResources.http does not allow"),
        (Reach(), "oci://ghcr.io/team", "the host 'ghcr.io' is not among"),
        (LOOPBACK, "http://me:hush@127.0.0.1/", "must hold no user and no password"),
        (LOOPBACK, "ftp://127.0.0.1/x", "must begin with http:// or https://"),
        (Reach(hosts=("*",)), "https://charts.example.org\\@evil.net", "names no host"),
        (Reach(hosts=("*",), plain=True), "http://169.254.169.254/latest", "an address of this machine's own link"),
        (Reach(hosts=("*",)), "@stable", "has no HelmRepository of this name"),
    ],
)
async def test_everything_else_is_refused_before_anybody_is_asked(charts, chart, allow, reach, url, message):
    allow(reach)
    charts.artifact(needing(f"{{name: db, version: '1', repository: '{url}'}}"))

    with pytest.raises(Rejected) as caught:
        await charts.sync(chart(chart="web", sourceRef=REPO))

    assert message in str(caught.value)
    assert "dependency 'db'" in str(caught.value)
    assert "hush" not in str(caught.value)
    assert caught.value.reason == "DependencyBuildError"


async def test_closed_repository_says_what_to_do(charts, chart, allow, site, stable):
    allow(LOOPBACK)
    site.authorization = "Basic x"
    charts.artifact(needing(f'{{name: db, version: "1", repository: "{stable}"}}'))

    with pytest.raises(Rejected, match="for credentials declare it as a HelmRepository"):
        await charts.sync(chart(chart="web", sourceRef=REPO))


async def test_host_that_fails_is_tried_again(charts, chart, allow, site, stable):
    allow(LOOPBACK)
    site.failures["/stable/index.yaml"] = 503
    charts.artifact(needing(f'{{name: db, version: "1", repository: "{stable}"}}'))

    with pytest.raises(Transient, match=r"dependency 'db': .* answered 503") as caught:
        await charts.sync(chart(chart="web", sourceRef=REPO))

    assert str(caught.value).count("HelmChart/flux-system/app") == 1

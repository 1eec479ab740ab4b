"""Other sources than Git feed apps, through real worker processes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from fakes import charts
from fakes.s3_server import S3, s3_server
from fakes.web_server import Site, web_server
from fakes.world import World, app_ref, config_map, kustomization

from gitopsd.config.problems import ConfigError
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Phase

LOGIN = (
    "apiVersion: v1\nkind: Secret\nmetadata: {name: keys, namespace: flux-system}\n"
    "stringData: {accesskey: any, secretkey: hush-hush}\n"
)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


def _bucket(s3: S3) -> str:
    return (
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: Bucket\nmetadata: {name: repo, namespace: flux-system}\n"
        f"spec: {{interval: 1h, bucketName: apps, endpoint: '{s3.url.removeprefix('http://')}', insecure: true,"
        " secretRef: {name: keys}}\n"
    )


@pytest.mark.asyncio
async def test_a_bucket_feeds_a_kustomization_and_what_goes_from_it_is_pruned(world: World, s3: S3) -> None:
    s3.bucket("apps")
    s3.put("apps", {f"app/{name}.yaml": config_map(name).encode() for name in ("one", "two", "three")})
    world.declare(LOGIN, kustomization("app", "sourceRef: {kind: Bucket, name: repo}"), source=_bucket(s3))

    first = await world.once()
    s3.put("apps", {"app/two.yaml": None})
    second = await world.once()

    bucket = ObjectRef(kind="Bucket", namespace="flux-system", name="repo")
    for outcomes in (first, second):
        assert {outcomes[ref].phase for ref in (bucket, app_ref("app"))} == {Phase.READY}, outcomes
    assert await world.exists("one", "three")
    assert not await world.exists("two")


REPOSITORY = (
    "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: {{name: {name}, namespace: flux-system}}\n"
    "spec: {{interval: 1h, url: '{url}', type: {type}}}\n"
)
INDEX = b"apiVersion: v1\nentries:\n  web: [{version: 1.0.0, urls: [web-1.0.0.tgz]}]\n"


@pytest.mark.asyncio
async def test_helm_repositories_become_ready_and_a_registry_is_not_asked(world: World) -> None:
    with web_server(Site(files={"/index.yaml": INDEX})) as site:
        world.declare(
            REPOSITORY.format(name="plain", url=site.url, type="default"),
            REPOSITORY.format(name="registry", url="oci://127.0.0.2:1/charts", type="oci"),
            source="",
        )
        async with world.engine() as engine:
            await engine.once()
            found = {view.ref.name: (view.phase, view.message, view.revision) for view in engine.views()}

    revision = f"sha256:{hashlib.sha256(INDEX).hexdigest()}"
    assert found == {
        "plain": (Phase.READY, f"stored artifact for revision '{revision}'", revision),
        "registry": (Phase.READY, "ready for the sources that read it; it has no content of its own", ""),
    }


CHART = (
    "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmChart\nmetadata: {{name: {name}, namespace: flux-system}}\n"
    "spec: {{interval: 1h, chart: {chart}, sourceRef: {{kind: {kind}, name: {source}}}}}\n"
)


def _publish(site: Site, *versions: str) -> None:
    archives = {version: charts.packed(charts.files(version=version)) for version in versions}
    site.files = {f"/web-{version}.tgz": data for version, data in archives.items()}
    site.files["/index.yaml"] = charts.index({"web": [charts.entry(v, data) for v, data in archives.items()]})


@pytest.mark.asyncio
async def test_charts_become_ready_and_hear_of_a_new_index(world: World) -> None:
    pulled, inner = (ObjectRef(kind="HelmChart", namespace="flux-system", name=name) for name in ("pulled", "inner"))
    plain = ObjectRef(kind="HelmRepository", namespace="flux-system", name="plain")
    world.repository.commit(
        {f"charts/web/{path}": data.decode() for path, data in charts.files("inner", "0.3.0").items()}
    )
    with web_server() as site:
        _publish(site, "1.0.0")
        world.declare(
            REPOSITORY.format(name="plain", url=site.url, type="default"),
            CHART.format(name="pulled", chart="web", kind="HelmRepository", source="plain"),
            CHART.format(name="inner", chart="charts/web", kind="GitRepository", source="repo"),
        )
        async with world.engine() as engine:
            first = dict(await engine.once())
            _publish(site, "1.0.0", "1.1.0")
            since = len(world.heard.outcomes)
            await engine.reconcile(plain, "now")
            second = await world.heard.until(lambda o: o.ref == pulled and o.phase is Phase.READY, since)

    assert {ref: (o.phase, str(o.applied)) for ref, o in first.items() if ref.kind == "HelmChart"} == {
        pulled: (Phase.READY, "1.0.0"),
        inner: (Phase.READY, "0.3.0"),
    }
    assert str(second.applied) == "1.1.0"


@pytest.mark.asyncio
async def test_a_chart_that_no_version_satisfies_stalls_until_the_index_has_one(world: World) -> None:
    chart = ObjectRef(kind="HelmChart", namespace="flux-system", name="web")
    wanted = CHART.format(name="web", chart="web", kind="HelmRepository", source="plain").replace(
        "{interval", "{version: 2.x, interval"
    )
    with web_server() as site:
        _publish(site, "1.0.0")
        world.declare(REPOSITORY.format(name="plain", url=site.url, type="default"), wanted, source="")
        async with world.engine() as engine:
            first = dict(await engine.once())[chart]
            _publish(site, "1.0.0", "2.3.0")
            since = len(world.heard.outcomes)
            await engine.reconcile(engine.find("plain")[0], "now")
            second = await world.heard.until(lambda o: o.ref == chart and o.phase is Phase.READY, since)

    assert (first.phase, first.reason) == (Phase.STALLED, "InvalidChartReference")
    assert "satisfies '2.x'; there is 1.0.0; check spec.version" in first.message
    assert str(second.applied) == "2.3.0"


@pytest.mark.asyncio
async def test_a_chart_of_a_source_that_nobody_declares_is_an_error_of_the_files(world: World) -> None:
    world.declare(CHART.format(name="web", chart="web", kind="HelmRepository", source="gone"), source="")
    with pytest.raises(ConfigError, match=r"HelmRepository/flux-system/gone is not declared"):
        world.load()

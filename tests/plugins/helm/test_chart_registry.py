"""Charts from an OCI registry."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from fakes import charts as made
from fakes import clouds
from fakes.registry import Registry, serving

from gitopsd.plugin import Misconfigured, Rejected, VerificationFailed
from gitopsd.plugin.oci.clouds import Gcp
from gitopsd_plugins.helm.chart_source import ChartSource
from gitopsd_plugins.helm.web import Web

pytestmark = pytest.mark.asyncio
LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


@pytest.fixture
def registry():
    with serving(Registry(repository="team/web")) as found:
        for version in ("1.0.0", "1.2.0", "2.0.0-rc.1", "1.1.0+build.1"):
            found.artifact(made.packed(made.files(version=version)), tag=version.replace("+", "_"), media_type=LAYER)
        found.artifact(b"", tag="latest")
        yield found


def of(registry, repository, **spec):
    return repository(url=f"oci://{registry.host}/team", type="oci", insecure=True, **spec)


@pytest.mark.parametrize(
    ("wanted", "chosen"), [("*", "1.2.0"), ("1.0.0", "1.0.0"), ("~1.1", "1.1.0+build.1"), (">=2.0.0-0", "2.0.0-rc.1")]
)
async def test_tags_are_versions(charts, registry, repository, chart, wanted, chosen):
    await charts.repository(of(registry, repository))

    revision, files = await charts.sync(chart(version=wanted))

    assert (revision, files) == (chosen, made.files(version=chosen))


async def test_exact_version_is_one_request_and_no_list(charts, registry, repository, chart):
    await charts.repository(of(registry, repository))
    await charts.resolve(chart(version="1.0.0"))
    registry.requests.clear()

    await charts.resolve(chart(version="1.0.0"))

    assert registry.paths == ["HEAD /v2/team/web/manifests/1.0.0"]


async def test_registry_of_a_cloud_takes_the_login_that_the_cloud_lends(charts, registry, repository, chart):
    registry.login, registry.username, registry.password = "basic", "oauth2accesstoken", "of the machine"
    charts.source = ChartSource(Web(), {"gcp": Gcp(hosts=r"127\.0\.0\.1:[0-9]+")})
    async with clouds.serving() as cloud:
        cloud.replies["GET /computeMetadata"] = {"access_token": "of the machine", "expires_in": 3600}
        charts.world.ctx = replace(charts.world.ctx, platform={"GCE_METADATA_HOST": cloud.host})
        await charts.repository(of(registry, repository, provider="gcp"))

        revision, files = await charts.sync(chart(version="1.0.0"))

    assert (revision, files) == ("1.0.0", made.files(version="1.0.0"))
    assert len(cloud.asked) == 1


async def test_cloud_is_not_asked_about_the_registry_of_another(charts, registry, repository, chart):
    await charts.repository(of(registry, repository, provider="aws"))

    with pytest.raises(Misconfigured, match=r"is no registry of spec\.provider aws"):
        await charts.resolve(chart(version="1.0.0"))


@pytest.mark.parametrize("login", ["basic", "bearer"])
@pytest.mark.parametrize("form", ["docker", "plain"])
async def test_both_forms_of_a_secret_open_the_registry(charts, registry, repository, chart, login, form):
    registry.login = login
    auths = {"auths": {registry.host: {"username": "ada", "password": "hush-hush"}}}
    charts.world.secrets.data["login"] = (
        {".dockerconfigjson": json.dumps(auths).encode()}
        if form == "docker"
        else {"username": b"ada", "password": b"hush-hush"}
    )
    await charts.repository(of(registry, repository, secretRef={"name": "login"}))

    revision, _ = await charts.sync(chart(version="1.x"))

    assert revision == "1.2.0"


async def test_refused_and_missing_logins_are_told(charts, registry, repository, chart):
    registry.login = "basic"
    charts.world.secrets.data |= {"login": {"username": b"ada", "password": b"wrong"}, "empty": {"x": b""}}
    await charts.repository(of(registry, repository, secretRef={"name": "login"}))
    with pytest.raises(Rejected, match=r"^HelmChart/flux-system/app: ") as caught:
        await charts.resolve(chart())
    await charts.repository(of(registry, repository, secretRef={"name": "empty"}))
    with pytest.raises(Rejected, match=r"needs the key .dockerconfigjson, or username and password"):
        await charts.resolve(chart())

    assert "wrong" not in str(caught.value)


async def test_missing_version_and_tag_without_a_chart_are_told(charts, registry, repository, chart):
    registry.artifact(b"no chart", tag="3.0.0", media_type="text/plain")
    await charts.repository(of(registry, repository))

    with pytest.raises(Misconfigured, match="satisfies '>=9'"):
        await charts.resolve(chart(version=">=9"))
    with pytest.raises(Rejected, match=r"manifests/7.7.7"):
        await charts.resolve(chart(version="7.7.7"))
    with pytest.raises(Rejected, match=r"team/web:3.0.0 holds no chart"):
        await charts.sync(chart(version="3.0.0"))


async def test_layer_of_another_digest_is_never_used(charts, registry, repository, chart):
    for name, data in registry.blobs.items():
        registry.blobs[name] = data[::-1]
    await charts.repository(of(registry, repository))

    with pytest.raises(VerificationFailed):
        await charts.sync(chart(version="1.0.0"))


async def test_dependency_comes_from_a_registry_too(charts, registry, repository, chart):
    await charts.repository(of(registry, repository))
    text = f"name: app\nversion: 0.1.0\ndependencies:\n- {{name: web, version: 1.x, repository: 'oci://{registry.host}/team'}}\n"
    charts.artifact({"app/Chart.yaml": text.encode()})

    _, files = await charts.sync(chart(chart="app", sourceRef={"kind": "GitRepository", "name": "repo"}))

    assert files["charts/web/Chart.yaml"] == made.files(version="1.2.0")["Chart.yaml"]

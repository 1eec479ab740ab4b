"""Charts from an OCI registry."""

from __future__ import annotations

import json
import socket
from dataclasses import replace

import pytest
from fakes import charts as made
from fakes import clouds, cosign, notary
from fakes.registry import Registry, serving
from fakes.sigstore import Sigstore

from gitopsd.plugin import Misconfigured, Rejected, Transient, VerificationFailed
from gitopsd.plugin.oci.clouds import Gcp
from gitopsd_plugins.helm.chart_source import ChartSource
from gitopsd_plugins.helm.repository_source import RepositorySource

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


async def test_timeout_of_the_repository_bounds_requests_for_charts(charts, repository, chart):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"oci://127.0.0.1:{silent.getsockname()[1]}/team"
        await charts.repository(repository(url=url, type="oci", timeout="300ms"))

        with pytest.raises(Transient, match=r"no answer within 0\.3 s"):
            await charts.resolve(chart(version="1.0.0"))


async def test_registry_of_a_cloud_takes_the_login_that_the_cloud_lends(charts, registry, repository, chart):
    registry.login, registry.username, registry.password = "basic", "oauth2accesstoken", "of the machine"
    charts.source = ChartSource(RepositorySource(), {"gcp": Gcp(hosts=r"127\.0\.0\.1:[0-9]+")})
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


@pytest.fixture
def key():
    return cosign.key()


KEYS = {"provider": "cosign", "secretRef": {"name": "keys"}}


async def fetched(charts, chart, **spec):
    intent = chart(**spec)
    ctx = charts.ctx(intent)
    return await charts.source.fetch(intent, await charts.source.resolve(intent, ctx), None, ctx)


@pytest.mark.parametrize("form", [cosign.sign, cosign.bundle])
async def test_chart_that_is_signed_by_a_key_comes_in(charts, registry, repository, chart, key, form):
    charts.world.secrets.data["keys"] = {"team.pub": key.public}
    await charts.repository(of(registry, repository))
    form(registry, registry.tags["1.0.0"], key)

    stored = await fetched(charts, chart, version="1.0.0", verify=KEYS)

    assert charts.world.files(stored.tree) == made.files(version="1.0.0")
    assert stored.verified == "verified signature of version 1.0.0 by the key team.pub"


async def test_chart_that_is_signed_with_notation_comes_in(charts, registry, repository, chart):
    authority = notary.Authority()
    charts.world.secrets.data["keys"] = {
        "ca.crt": authority.pem,
        "trustpolicy.json": json.dumps(
            {
                "version": "1.0",
                "trustPolicies": [
                    {
                        "name": "charts",
                        "registryScopes": [f"{registry.host}/team/web"],
                        "signatureVerification": {"level": "strict"},
                        "trustStores": ["ca:charts"],
                        "trustedIdentities": ["*"],
                    }
                ],
            }
        ).encode(),
    }
    await charts.repository(of(registry, repository))
    notary.sign(registry, registry.tags["1.0.0"], authority.signer())

    stored = await fetched(charts, chart, version="1.0.0", verify={**KEYS, "provider": "notation"})

    assert stored.verified == f"verified signature of version 1.0.0 by {notary.ADA}"


async def test_chart_without_a_key_is_measured_by_the_public_root(charts, registry, repository, chart):
    stranger = Sigstore()
    stranger.sign(registry, registry.tags["1.0.0"], stranger.signer())
    await charts.repository(of(registry, repository))

    with pytest.raises(VerificationFailed, match="which the root of trust does not know") as caught:
        await fetched(charts, chart, version="1.0.0", verify={"matchOIDCIdentity": [{"issuer": "a", "subject": "a"}]})

    assert caught.value.reason == "ChartVerificationError"


@pytest.mark.parametrize("signed", ["not at all", "by another key", "another version"])
async def test_chart_that_nobody_signed_who_may_is_not_downloaded(charts, registry, repository, chart, key, signed):
    charts.world.secrets.data["keys"] = {"team.pub": key.public}
    await charts.repository(of(registry, repository))
    if signed != "not at all":
        about = registry.tags["1.2.0"] if signed == "another version" else ""
        cosign.sign(registry, registry.tags["1.0.0"], cosign.key() if signed == "by another key" else key, about=about)

    with pytest.raises(VerificationFailed, match=r"is not signed|none of its 1 signatures") as caught:
        await fetched(charts, chart, version="1.0.0", verify=KEYS)

    assert caught.value.reason == "ChartVerificationError"
    layer = json.loads(registry.manifests[registry.tags["1.0.0"]][1])["layers"][0]["digest"]
    assert [path for path in registry.paths if layer in path] == []


async def test_chart_that_another_one_fetched_unverified_is_verified_all_the_same(charts, registry, repository, chart):
    charts.world.secrets.data["keys"] = {"team.pub": cosign.key().public}
    await charts.repository(of(registry, repository))
    await fetched(charts, chart, version="1.0.0")

    with pytest.raises(VerificationFailed, match="is not signed"):
        await fetched(charts, chart, version="1.0.0", verify=KEYS)

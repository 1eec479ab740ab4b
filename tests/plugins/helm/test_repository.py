"""The HelmRepository source on a static server."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from fakes.certificate import self_signed
from fakes.web_server import Site, web_server

from gitopsd.plugin import NotReady, Rejected, Transient
from gitopsd.plugin.sources import access
from gitopsd_plugins.helm import repository_source, web
from gitopsd_plugins.helm.repository_source import RepositorySource

pytestmark = pytest.mark.asyncio
INDEX = b"apiVersion: v1\nentries:\n  web: [{version: 1.0.0, urls: [web-1.0.0.tgz]}]\n"
LOGIN = {"username": b"ada", "password": b"hush-hush"}


async def test_revision_is_the_digest_of_the_index_and_each_chart_is_a_file(world, site, repository):
    site.files["/stable/index.yaml"] = INDEX

    revision, stored = await world.sync(RepositorySource(), repository(url=f"{site.url}/stable/"))

    assert revision.digest == "sha256:" + hashlib.sha256(INDEX).hexdigest()
    assert world.files(stored.tree) == {
        "charts/web.json": b'[{"version":"1.0.0","urls":["web-1.0.0.tgz"],"digest":"","created":""}]'
    }


@pytest.mark.parametrize("etags", [True, False])
async def test_unchanged_index_is_one_conditional_request(world, site, repository, etags):
    site.files["/index.yaml"], site.etags = INDEX, etags
    intent = repository(url=site.url)
    first, _ = await world.sync(RepositorySource(), intent)

    second = await RepositorySource().resolve(intent, world.ctx)

    assert second == first
    assert [asked.status for asked in site.asked] == [200, 304 if etags else 200]


async def test_index_that_was_lost_is_fetched_again(world, site, repository):
    site.files["/index.yaml"] = INDEX
    intent = repository(url=site.url)
    await RepositorySource().resolve(intent, world.ctx)
    for file in world.ctx.cache("helm").glob("*.index"):
        file.unlink()

    await RepositorySource().resolve(intent, world.ctx)

    assert [asked.status for asked in site.asked] == [200, 200]


async def test_unchanged_chart_is_not_added_again(world, site, repository):
    site.files["/index.yaml"] = INDEX
    intent = repository(url=site.url)
    await world.sync(RepositorySource(), intent)
    world.intake.added.clear()
    site.files["/index.yaml"] = INDEX + b"  db: [{version: 2.0.0}]\n"

    await world.sync(RepositorySource(), intent)

    assert len(world.intake.added) == 1


async def test_index_over_the_limit_is_given_up_while_it_comes(world, site, repository, monkeypatch):
    monkeypatch.setattr(repository_source, "MAX_INDEX", 3 << 20)
    site.endless = frozenset({"/index.yaml"})

    with pytest.raises(Rejected, match=r"/index.yaml: more than 3 MiB; it was given up"):
        await RepositorySource().resolve(repository(url=site.url), world.ctx)


async def test_password_opens_the_repository_and_is_never_shown(world, site, repository):
    site.files["/index.yaml"] = INDEX
    site.authorization = access.basic("ada", "hush-hush")
    world.secrets.data["login"] = LOGIN
    intent = repository(url=site.url, secretRef={"name": "login"})

    await world.sync(RepositorySource(), intent)
    world.secrets.data["login"] = {**LOGIN, "password": b"other"}
    with pytest.raises(Rejected, match=r"refused the credentials \(401\); check spec.secretRef") as caught:
        await RepositorySource().resolve(intent, world.ctx)
    with pytest.raises(Rejected, match=r"asks for credentials \(401\); set spec.secretRef"):
        await RepositorySource().resolve(repository(url=site.url), world.ctx)

    assert "other" not in str(caught.value)


@pytest.mark.parametrize("everywhere", [False, True])
async def test_redirect_to_another_host_loses_the_credentials_unless_they_are_to_be_passed(
    world, site, repository, everywhere
):
    with web_server(Site(files={"/index.yaml": INDEX})) as other:
        site.redirects["/index.yaml"] = f"{other.url}/index.yaml"
        world.secrets.data["login"] = LOGIN
        spec = {"url": site.url, "secretRef": {"name": "login"}, "passCredentials": everywhere}
        await world.sync(RepositorySource(), repository(**spec))

    header = access.basic("ada", "hush-hush")
    assert [asked.authorization for asked in site.asked] == [header]
    assert [asked.authorization for asked in other.asked] == [header if everywhere else ""]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("http://169.254.169.254/latest/meta-data", "an address of this machine's own link"),
        ("file:///etc/passwd", "no http URL"),
        ("http://user:pass@127.0.0.1/index.yaml", "no http URL"),
    ],
)
async def test_redirect_to_where_nobody_should_go_is_refused(world, site, repository, target, words):
    site.redirects["/index.yaml"] = target

    with pytest.raises(Rejected, match=words):
        await RepositorySource().resolve(repository(url=site.url), world.ctx)


async def test_endless_redirects_are_given_up(world, site, repository):
    site.redirects["/index.yaml"] = "/index.yaml"

    with pytest.raises(Rejected, match="more than 10 redirects"):
        await RepositorySource().resolve(repository(url=site.url), world.ctx)


async def test_failures_say_what_to_do(world, site, repository):
    source = RepositorySource()
    with pytest.raises(Rejected, match=r"^HelmRepository/flux-system/charts: nothing at http.*\(404\)"):
        await source.resolve(repository(url=site.url), world.ctx)
    site.failures["/index.yaml"], site.retry_after = 503, "17"
    with pytest.raises(Transient, match="answered 503") as caught:
        await source.resolve(repository(url=site.url), world.ctx)
    with pytest.raises(Transient, match="cannot be reached"):
        await source.resolve(repository(url="http://127.0.0.2:1"), world.ctx)
    with pytest.raises(NotReady, match=r"not found in secrets.d"):
        await source.resolve(repository(url=site.url, secretRef={"name": "gone"}), world.ctx)

    assert caught.value.retry_after == 17


async def test_client_certificate_has_the_names_of_older_versions_too(world, repository):
    world.secrets.data["old"] = {"certFile": b"certificate", "keyFile": b"key", "caFile": b"ca"}

    opened = await web.login(repository(secretRef={"name": "old"}).spec, world.ctx)

    assert (opened.tls.certificate, opened.tls.key, opened.tls.ca) == (b"certificate", b"key", b"ca")


@pytest.mark.parametrize("secret", [{"certSecretRef": {"name": "ca"}}, {"secretRef": {"name": "old"}}])
async def test_private_ca_is_trusted_where_it_is_named_and_only_there(world, tmp_path, repository, secret):
    tls = self_signed(tmp_path / "tls", ca=False)
    world.secrets.data["ca"] = {"ca.crt": tls[0].read_bytes()}
    world.secrets.data["old"] = {"caFile": tls[0].read_bytes()}
    with web_server(Site(files={"/index.yaml": INDEX}), tls) as site:
        await world.sync(RepositorySource(), repository(url=site.url, **secret))
        with pytest.raises(Rejected, match=r"is not trusted: .*put its CA as ca.crt into spec.certSecretRef"):
            await RepositorySource().resolve(repository(url=site.url), world.ctx)


async def test_index_that_is_none_is_told_when_it_is_read(world, site, repository):
    site.files["/index.yaml"] = b"<html></html>"

    with pytest.raises(
        Rejected, match=r"^HelmRepository/flux-system/charts: http://.*/index.yaml: the index cannot be read"
    ) as caught:
        await world.sync(RepositorySource(), repository(url=site.url))

    assert caught.value.reason == "IndexationFailed"


async def test_cache_of_another_object_is_not_used(world, site, repository):
    site.files["/index.yaml"] = INDEX
    intent = repository(url=site.url)
    await RepositorySource().resolve(intent, world.ctx)

    await RepositorySource().resolve(replace(intent, ref=replace(intent.ref, namespace="tenant")), world.ctx)

    assert [asked.conditional for asked in site.asked] == [False, False]


async def test_host_that_asks_to_be_left_alone_is_left_alone_by_every_object(world, site, repository):
    site.failures["/one/index.yaml"], site.retry_after = 429, "60"
    site.files["/two/index.yaml"] = INDEX
    source = RepositorySource()

    with pytest.raises(Transient) as first:
        await source.resolve(repository("one", url=f"{site.url}/one"), world.ctx)
    with pytest.raises(Transient) as second:
        await source.resolve(repository("two", url=f"{site.url}/two"), world.ctx)

    assert first.value.retry_after == 60
    assert second.value.retry_after is not None
    assert second.value.retry_after > 60
    assert site.paths() == ["/one/index.yaml"]

"""Charts from a repository over http."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from fakes import charts as made
from fakes.web_server import Site, web_server

from gitopsd.plugin import Http, Misconfigured, Rejected, VerificationFailed
from gitopsd.plugin.egress import Egress
from gitopsd.plugin.sources import access

pytestmark = pytest.mark.asyncio


def publish(site, versions, **more):
    """An index of these versions of the chart `web`, each with its archive."""
    archives = {version: made.packed(made.files(version=version)) for version in versions}
    site.files |= {f"/web-{version}.tgz": data for version, data in archives.items()}
    site.files["/index.yaml"] = made.index({"web": [made.entry(v, data, **more) for v, data in archives.items()]})


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ("*", "1.2.0"),
        ("1.0.0", "1.0.0"),
        ("~1.1", "1.1.3"),
        (">=1 <1.2", "1.1.3"),
        ("^1.0.0", "1.2.0"),
        (">=0.0.0-0", "2.0.0-rc.1"),
        ("2.0.0-rc.1", "2.0.0-rc.1"),
        ("1.x || 2.x", "1.2.0"),
    ],
)
async def test_highest_version_that_satisfies_is_taken_and_unpacked(charts, site, repository, chart, wanted, chosen):
    publish(site, ["1.1.0", "1.2.0", "2.0.0-rc.1", "1.0.0", "1.1.3"])
    await charts.repository(repository(url=site.url))

    revision, files = await charts.sync(chart(version=wanted))

    assert revision == chosen
    assert files == made.files(version=chosen)


async def test_new_index_that_changes_nothing_for_the_chart_costs_no_request(charts, site, repository, chart):
    publish(site, ["1.0.0"])
    await charts.repository(repository(url=site.url))
    await charts.sync(chart())
    asked = len(site.asked)

    assert await charts.resolve(chart()) == "1.0.0"
    assert len(site.asked) == asked


async def test_chart_is_downloaded_once_for_each_digest(charts, site, repository, chart):
    publish(site, ["1.0.0"])
    await charts.repository(repository(url=site.url))

    await charts.sync(chart())
    await charts.sync(chart())

    assert site.paths().count("/web-1.0.0.tgz") == 1


async def test_chart_that_lies_damaged_in_the_cache_is_downloaded_again(charts, site, repository, chart):
    publish(site, ["1.0.0"])
    await charts.repository(repository(url=site.url))
    await charts.sync(chart())
    [kept] = charts.world.ctx.cache("helm-charts").rglob("*.tgz")
    kept.write_bytes(b"damaged")

    _, files = await charts.sync(chart())

    assert files == made.files()


async def test_values_files_are_merged_in_order_and_named_in_the_version(charts, site, repository, chart):
    data = made.packed(made.files(one_DOT_yaml=b"b: {x: 1, v: [1]}\na: 1\n", two_DOT_yaml=b"b: {v: [2], z: 3}\n"))
    site.files = {"/web-1.0.0.tgz": data, "/index.yaml": made.index({"web": [made.entry("1.0.0", data)]})}
    await charts.repository(repository(url=site.url))
    spec = {"valuesFiles": ["one.yaml", "missing.yaml", "two.yaml"]}

    revision, files = await charts.sync(chart(**spec, ignoreMissingValuesFiles=True), generation=7)
    with pytest.raises(Misconfigured, match=r"no values file 'missing.yaml'") as caught:
        await charts.sync(chart(**spec))

    assert revision == "1.0.0+7"
    assert files["values.yaml"] == b"a: 1\nb:\n  v:\n  - 2\n  x: 1\n  z: 3\n"
    assert b"version: 1.0.0+7" in files["Chart.yaml"]
    assert caught.value.reason == "ValuesFilesError"


async def test_no_version_that_satisfies_says_what_there_is(charts, site, repository, chart):
    publish(site, ["1.0.0", "1.1.0"])
    await charts.repository(repository(url=site.url))

    with pytest.raises(Misconfigured, match=r"satisfies '>=9'; there is 1.1.0, 1.0.0; check spec.version"):
        await charts.resolve(chart(version=">=9"))
    with pytest.raises(Rejected, match=r"no chart 'nothing' in the index of http://127.0.0.1.*; check spec.chart"):
        await charts.resolve(chart(chart="nothing"))


async def test_chart_of_another_digest_than_the_index_says_is_never_used(charts, site, repository, chart):
    publish(site, ["1.0.0"])
    await charts.repository(repository(url=site.url))
    site.files["/web-1.0.0.tgz"] = evil = made.packed(made.files(evil=b"1"))

    with pytest.raises(VerificationFailed, match=r"^HelmChart/flux-system/app: .*nothing of it is used") as caught:
        await charts.sync(chart())

    assert hashlib.sha256(evil).hexdigest() in str(caught.value)
    assert list(charts.world.ctx.cache("helm-charts").rglob("*.*")) == []


@pytest.mark.parametrize("everywhere", [False, True])
async def test_credentials_go_to_another_host_only_where_they_are_to_be_passed(
    charts, site, repository, chart, everywhere
):
    header = access.basic("ada", "hush-hush")
    site.authorization = header
    charts.world.secrets.data["login"] = {"username": b"ada", "password": b"hush-hush"}
    data = made.packed(made.files())
    with web_server(Site(files={"/web.tgz": data})) as other:
        site.files["/index.yaml"] = made.index({"web": [made.entry("1.0.0", data, f"{other.url}/web.tgz")]})
        await charts.repository(repository(url=site.url, secretRef={"name": "login"}, passCredentials=everywhere))
        await charts.sync(chart())

    assert [asked.authorization for asked in other.asked] == [header if everywhere else ""]


async def test_other_host_that_asks_for_credentials_is_told_with_the_field(charts, site, repository, chart):
    charts.world.secrets.data["login"] = {"username": b"ada", "password": b"hush-hush"}
    with web_server(Site(authorization="Basic x")) as other:
        site.files["/index.yaml"] = made.index({"web": [made.entry("1.0.0", url=f"{other.url}/web.tgz")]})
        await charts.repository(repository(url=site.url, secretRef={"name": "login"}))
        with pytest.raises(Rejected, match=r"spec.passCredentials, since it is another host"):
            await charts.sync(chart())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("file:///etc/passwd", "no http URL"),
        ("http://169.254.169.254/latest/meta-data", "an address of this machine's own link"),
        ("http://[::ffff:169.254.169.254]/x", "an address of this machine's own link"),
        ("http://metadata.google.internal/x", "an address of this machine's own link"),
        ("http://ada:hush@127.0.0.1/x", "no http URL"),
        ("oci://ghcr.io/example/web", "HelmRepository of type oci"),
        ("gopher://x", "no http URL"),
    ],
)
async def test_index_that_names_where_nobody_should_go_is_refused(charts, site, repository, chart, url, words):
    site.files["/index.yaml"] = made.index({"web": [made.entry("1.0.0", url=url)]})
    await charts.repository(repository(url=site.url))

    with pytest.raises(Rejected) as caught:
        await charts.sync(chart())

    assert words in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (made.packed({**made.files(), "../../outside": b"1"}), "a path that leaves the archive"),
        (made.packed({"/etc/passwd": b"1"}, folder=""), "an absolute path"),
        (made.packed({"loose.yaml": b"1"}, folder=""), "outside of the archive's leading folder"),
        (made.packed({"x": b"0" * (40 << 20)}), "more than 16 MiB"),
        (made.packed({f"x{n}": b"0" * (15 << 20) for n in range(2)}), "grows to more than 100 times"),
        (made.packed(made.files())[:-40], "cut off"),
        (b"no archive", "cut off"),
        (made.packed({"templates/a.yaml": b""}), "there is no Chart.yaml"),
        (made.packed(made.files(name="other")), "calls itself 'other'"),
        (made.packed(made.files(version="9.9.9")), "says that it is 9.9.9"),
        (made.packed({**made.files(), "Chart.yaml": b"name: [a"}), "Chart.yaml"),
        (made.packed({**made.files(), "Chart.yaml": b"name: web\nversion: 1\n"}), "version must be"),
    ],
    ids=[
        "escape",
        "absolute",
        "loose",
        "large",
        "bomb",
        "cut",
        "none",
        "no chart",
        "name",
        "version",
        "yaml",
        "number",
    ],
)
async def test_hostile_archive_is_refused_and_nothing_of_it_stored(charts, site, repository, chart, data, words):
    site.files = {"/web-1.0.0.tgz": data, "/index.yaml": made.index({"web": [made.entry("1.0.0", data)]})}
    await charts.repository(repository(url=site.url))

    with pytest.raises(Rejected) as caught:
        await charts.sync(chart())

    assert words in str(caught.value)


async def test_larger_chart_than_sane_is_given_up_while_it_comes(charts, site, repository, chart):
    site.files["/index.yaml"] = made.index({"web": [made.entry("1.0.0")]})
    site.endless = frozenset({"/web-1.0.0.tgz"})
    await charts.repository(repository(url=site.url))

    with pytest.raises(Rejected, match="more than 32 MiB; it was given up"):
        await charts.sync(chart())


async def test_private_address_is_refused_where_the_setting_says_so(charts, site, repository, chart):
    site.files["/index.yaml"] = made.index({"web": [made.entry("1.0.0")]})
    await charts.repository(repository(url=site.url))
    charts.world.ctx = replace(charts.world.ctx, http=Http(egress=Egress(private=False)))

    with pytest.raises(Rejected, match=r"network.privateAddresses forbids"):
        await charts.sync(chart())
    with pytest.raises(Rejected, match=r"network.privateAddresses forbids"):
        await charts.repository(repository(url=site.url))


async def test_version_that_is_none_is_taken_by_its_very_text(charts, site, repository, chart):
    data = made.packed(made.files(version="1.x"))
    site.files = {"/web-1.x.tgz": data, "/index.yaml": made.index({"web": [made.entry("1.x", data)]})}
    await charts.repository(repository(url=site.url))

    with pytest.raises(Rejected, match="version must be a semantic version"):
        await charts.sync(chart(version="1.x"))


async def test_verification_is_for_registries_only(charts, site, repository, chart):
    publish(site, ["1.0.0"])
    await charts.repository(repository(url=site.url))

    with pytest.raises(VerificationFailed, match=r"spec\.verify: .* is no OCI registry, and only there") as caught:
        await charts.sync(chart(verify={"secretRef": {"name": "keys"}}))

    assert caught.value.reason == "ChartVerificationError"
    assert "/web-1.0.0.tgz" not in site.paths()

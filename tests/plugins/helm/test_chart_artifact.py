"""Charts that lie in another source's artifact: folders and archives, strategies, values, and the charts that they need."""

from __future__ import annotations

import pytest
from fakes import charts as made
from fakes.web_server import Site, web_server

from gitopsd.plugin import Changes, Content, Misconfigured, NotReady, Rejected, Revision, Transient, Upstream
from gitopsd.plugin.sources import access

pytestmark = pytest.mark.asyncio
REPO = {"kind": "GitRepository", "name": "repo"}


def within(folder, files):
    return {f"{folder}/{path}": data for path, data in files.items()}


def needing(*lines):
    text = "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n" + "".join(f"- {line}\n" for line in lines)
    return {**made.files(), "Chart.yaml": text.encode()}


def _stored(charts):
    """An index with the chart `x`, of no version."""
    store = charts.world.store
    [file] = store.add([Content(data=b"[]")])
    return store.put(Changes(entries={"charts/x.json": file}))


async def test_folder_is_taken_as_it_lies_there(charts, chart):
    charts.artifact({**within("charts/web", made.files()), "README.md": b"no part of it"})

    revision, files = await charts.sync(chart(chart="./charts/web", sourceRef=REPO))

    assert revision == "1.0.0"
    assert files == made.files()


async def test_packed_chart_is_unpacked(charts, chart):
    charts.artifact({"web-1.0.0.tgz": made.packed(made.files())})

    revision, files = await charts.sync(chart(chart="web-1.0.0.tgz", sourceRef=REPO))

    assert (revision, files) == ("1.0.0", made.files())


async def test_chart_comes_with_its_name_and_the_values_files_that_are_in_it(charts, chart):
    charts.artifact({**within("charts/app", made.files()), "v.yaml": b"size: 2\n"})
    spec = {"valuesFiles": ["v.yaml", "gone.yaml"], "ignoreMissingValuesFiles": True}
    intent = chart(chart="charts/app", sourceRef=REPO, **spec)
    ctx = charts.ctx(intent)

    stored = await charts.source.fetch(intent, await charts.source.resolve(intent, ctx), None, ctx)

    assert stored.facts == {"name": "web", "valuesFiles": ("v.yaml",)}


@pytest.mark.parametrize(
    ("spec", "artifact", "revision"),
    [
        ({}, "main@sha1:" + "a1" * 20, "1.0.0"),
        ({"reconcileStrategy": "Revision"}, "main@sha1:" + "a1" * 20, "1.0.0+a1a1a1a1a1a1"),
        ({"reconcileStrategy": "Revision"}, "sha256:" + "b2" * 32, "1.0.0+b2b2b2b2b2b2"),
        ({"valuesFiles": ["v.yaml"]}, "main@sha1:" + "a1" * 20, "1.0.0+3"),
        ({"reconcileStrategy": "Revision", "valuesFiles": ["v.yaml"]}, "x@sha1:" + "c3" * 20, "1.0.0+c3c3c3c3c3c3.3"),
    ],
)
async def test_version_is_called_as_flux_calls_it(charts, chart, spec, artifact, revision):
    charts.artifact({**within("web", made.files()), "v.yaml": b"size: 2\n"}, artifact)

    found, files = await charts.sync(chart(chart="web", sourceRef=REPO, **spec), generation=3)

    assert found == revision
    assert f"version: {revision}\n".encode() in files["Chart.yaml"]
    assert files["values.yaml"] == (b"size: 2\n" if "valuesFiles" in spec else b"size: 1\n")


async def test_new_commit_without_a_new_version_changes_nothing(charts, chart):
    intent = chart(chart="web", sourceRef=REPO)
    charts.artifact(within("web", made.files()))
    first = await charts.resolve(intent)

    charts.artifact(within("web", {**made.files(), "templates/map.yaml": b"other"}), "main@sha1:" + "d4" * 20)

    assert await charts.resolve(intent) == first


async def test_helms_ignore_file_is_honoured(charts, chart):
    ignored = {".helmignore": b"# no\n*.md\n/ci/\nnotes/\n", "README.md": b"", "ci/x": b"", "a/notes/x": b""}
    charts.artifact(within("web", {**made.files(), **ignored, "templates/.hidden": b"", "a/ci/x": b""}))

    _, files = await charts.sync(chart(chart="web", sourceRef=REPO))

    assert set(files) == {*made.files(), ".helmignore", "a/ci/x"}


async def test_charts_inside_are_unpacked_too(charts, chart):
    inner = made.packed(
        {**made.files("inner"), "charts/deep-1.0.0.tgz": made.packed(made.files("deep"), "deep")}, "inner"
    )
    charts.artifact(within("web", {**needing("{name: inner, version: 1.0.0}"), "charts/inner-1.0.0.tgz": inner}))

    _, files = await charts.sync(chart(chart="web", sourceRef=REPO))

    assert files["charts/inner-1.0.0/Chart.yaml"] == made.files("inner")["Chart.yaml"]
    assert files["charts/inner-1.0.0/charts/deep-1.0.0/Chart.yaml"] == made.files("deep")["Chart.yaml"]
    assert not [path for path in files if path.endswith(".tgz")]


async def test_chart_beside_it_in_the_artifact_is_added(charts, chart):
    files = needing('{name: common, version: ">=1", repository: "file://../../lib/common"}')
    charts.artifact({**within("charts/web", files), **within("lib/common", made.files("common", "1.2.0"))})

    _, found = await charts.sync(chart(chart="charts/web", sourceRef=REPO))

    assert found["charts/common/Chart.yaml"] == made.files("common", "1.2.0")["Chart.yaml"]


@pytest.mark.parametrize(
    ("dependency", "words"),
    [
        ('{name: x, version: "1", repository: "file://../../../etc"}', "leaves the tree"),
        ('{name: x, version: "1", repository: "file://../nothing"}', "no such file or folder"),
        ('{name: x, version: ">=2", repository: "file://../other"}', "is 1.0.0, and '>=2' is needed"),
        ('{name: x, version: "1"}', "is not in charts/ and has no repository"),
        ('{name: x, version: "1", repository: "https://nobody.example.org"}', "declare one"),
        ('{name: x, version: "1", repository: "http://169.254.169.254/"}', "declare one"),
        ('{name: "../x", version: "1"}', "needs a plain name"),
        ("{name: [a]}", "needs a plain name"),
        ('{name: x, alias: "../../../x", repository: "file://../other"}', "needs a plain name (and alias)"),
        ('{name: x, alias: "", repository: "file://../nothing"}', "no such file or folder"),
        ('{name: x, version: newest, repository: "file://../other"}', "the chart 'x': 'newest' is not a version"),
        ('{name: x, version: "what ever", repository: "https://charts.example.org"}', "is not a version constraint"),
    ],
)
async def test_dependency_that_cannot_be_had_is_named(charts, repository, chart, dependency, words):
    index = charts.world.artifact(
        intent := repository(url="https://charts.example.org"), Revision(digest="sha256:1"), _stored(charts)
    )
    charts.beside[intent.ref] = Upstream(intent=intent, artifact=index)
    charts.artifact({**within("web", needing(dependency)), **within("other", made.files("x"))})

    with pytest.raises(Rejected, match=r"^HelmChart/flux-system/app: ") as caught:
        await charts.sync(chart(chart="web", sourceRef=REPO))

    assert words in str(caught.value)


@pytest.mark.parametrize("address", ["{url}/", "{url}", "@charts", "alias:charts"])
async def test_dependency_comes_from_the_repository_of_its_address(charts, site, repository, chart, address):
    archives = {v: made.packed(made.files("redis", v), "redis") for v in ("1.0.0", "1.4.0", "2.0.0")}
    site.files = {f"/redis-{v}.tgz": data for v, data in archives.items()}
    listed = [made.entry(v, data, f"redis-{v}.tgz") for v, data in archives.items()]
    site.files["/index.yaml"] = made.index({"redis": listed})
    await charts.repository(repository(url=site.url))
    place = address.format(url=site.url)
    charts.artifact(within("web", needing(f'{{name: redis, version: "^1.0.0", repository: "{place}"}}')))
    intent = chart(chart="web", sourceRef=REPO)

    _, files = await charts.sync(intent)
    await charts.sync(intent)

    assert b"version: 1.4.0" in files["charts/redis/Chart.yaml"]
    assert site.paths().count("/redis-1.4.0.tgz") == 1


async def test_lock_decides_over_the_chart(charts, site, repository, chart):
    archives = {v: made.packed(made.files("redis", v), "redis") for v in ("1.0.0", "1.4.0")}
    site.files = {f"/redis-{v}.tgz": data for v, data in archives.items()}
    listed = [made.entry(v, data, f"redis-{v}.tgz") for v, data in archives.items()]
    site.files["/index.yaml"] = made.index({"redis": listed})
    await charts.repository(repository(url=site.url))
    lock = f"dependencies:\n- {{name: redis, version: 1.0.0, repository: '{site.url}'}}\n".encode()
    files = needing(f'{{name: redis, version: "^1.0.0", repository: "{site.url}"}}')
    charts.artifact(within("web", {**files, "Chart.lock": lock}))

    _, found = await charts.sync(chart(chart="web", sourceRef=REPO))

    assert b"version: 1.0.0" in found["charts/redis/Chart.yaml"]


async def test_credentials_of_a_repository_open_its_dependency(charts, repository, chart):
    data = made.packed(made.files("redis"), "redis")
    site = Site(authorization=access.basic("ada", "hush-hush"))
    with web_server(site):
        site.files = {
            "/redis.tgz": data,
            "/index.yaml": made.index({"redis": [made.entry("1.0.0", data, "redis.tgz")]}),
        }
        charts.world.secrets.data["login"] = {"username": b"ada", "password": b"hush-hush"}
        await charts.repository(repository(url=site.url, secretRef={"name": "login"}))
        charts.artifact(within("web", needing(f'{{name: redis, repository: "{site.url}"}}')))

        _, files = await charts.sync(chart(chart="web", sourceRef=REPO))

    assert "charts/redis/Chart.yaml" in files


async def test_chart_that_is_there_is_not_fetched_again_under_an_alias(charts, chart):
    files = needing(
        '{name: common, alias: other, version: "1", repository: "https://nobody.example.org"}', "{name: two}"
    )
    inside = within("charts/common", made.files("common")) | within("charts/two", made.files("two"))
    charts.artifact(within("web", {**files, **inside, **within("charts/three", made.files("three"))}))

    _, found = await charts.sync(chart(chart="web", sourceRef=REPO))

    assert not [path for path in found if path.startswith("charts/other")]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nothing", "no chart at nothing: there is no such file or folder"),
        ("empty", "no chart at empty: there is no Chart.yaml"),
        ("text.txt", "cut off"),
    ],
)
async def test_path_without_a_chart_is_named(charts, chart, path, words):
    charts.artifact({"empty/x": b"", "text.txt": b"text"})

    with pytest.raises(Rejected) as caught:
        await charts.resolve(chart(chart=path, sourceRef=REPO))

    assert words in str(caught.value)


async def test_values_files_are_named_from_the_root_of_the_artifact(charts, chart):
    charts.artifact({**within("web", made.files()), "env/prod.yaml": b"size: 9\n"})
    spec = {"chart": "web", "sourceRef": REPO}

    _, files = await charts.sync(chart(**spec, valuesFiles=["web/values.yaml", "env/prod.yaml"]))
    with pytest.raises(Misconfigured, match=r"no values file 'values.yaml'"):
        await charts.sync(chart(**spec, valuesFiles=["values.yaml"]))

    assert files["values.yaml"] == b"size: 9\n"


async def test_chart_that_changes_between_the_looks_is_looked_at_again(charts, chart):
    charts.artifact(within("web", made.files()))
    intent = chart(chart="web", sourceRef=REPO)

    with pytest.raises(Exception, match="changed meanwhile"):
        await charts.source.fetch(intent, Revision(digest="0.9.0"), None, charts.ctx(intent))


async def test_repository_without_an_artifact_is_waited_for(charts, repository, chart):
    intent = repository(url="https://charts.example.org")
    charts.beside[intent.ref] = Upstream(intent=intent, artifact=None)

    with pytest.raises(NotReady, match="HelmRepository/flux-system/charts has no artifact yet"):
        await charts.resolve(chart())


async def test_repository_of_a_dependency_that_is_not_there_yet_is_tried_again(charts, repository, chart):
    intent = repository(url="https://charts.example.org")
    charts.beside[intent.ref] = Upstream(intent=intent, artifact=None)
    charts.artifact(within("web", needing("{name: redis, repository: 'https://charts.example.org'}")))

    with pytest.raises(Transient, match=r"dependency 'redis': HelmRepository/flux-system/charts has no artifact yet"):
        await charts.sync(chart(chart="web", sourceRef=REPO))

"""The pages say what the code does: every verb, setting, hook, annotation and exit code, and links that lead somewhere."""

from __future__ import annotations

import re
import types
from datetime import UTC, datetime
from importlib.metadata import EntryPoint

import msgspec
import pytest

from gitopsd.cli.exits import Exit
from gitopsd.cli.main import VERBS
from gitopsd.config import schema
from gitopsd.config.settings import Settings
from gitopsd.model.declared import Declared, Place
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.plugin import File, digest, keys, registry, yaml
from gitopsd.store import Store
from gitopsd_plugins.bucket.spec import BucketSpec
from gitopsd_plugins.git.spec import RepositorySpec
from gitopsd_plugins.helm.chart_spec import ChartSpec
from gitopsd_plugins.helm.repository_spec import RepositorySpec as HelmRepositorySpec
from gitopsd_plugins.kustomize.app.spec import KustomizationSpec
from gitopsd_plugins.oci.spec import RepositorySpec as OciRepositorySpec


@pytest.fixture(scope="module")
def pages(root):
    return {
        path: path.read_text("utf-8")
        for path in (root / "README.md", root / "CHANGELOG.md", *(root / "docs").glob("*.md"))
    }


@pytest.fixture(scope="module")
def configuration(root):
    return (root / "docs" / "configuration.md").read_text("utf-8")


def settings(struct=Settings, prefix=""):
    """Dotted name and explanation of every setting."""
    explained = schema.explained(struct)
    for field in msgspec.structs.fields(struct):
        name = f"{prefix}{field.encode_name}"
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from settings(field.type, f"{name}.")
        else:
            yield name, explained[field.encode_name]


def default(root, name):
    value = yaml.read((root / "config" / "gitopsd.yaml").read_bytes())["spec"]
    for key in name.split("."):
        value = value[key]
    return value if isinstance(value, str) and value else msgspec.json.encode(value).decode()


def section(text, title):
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text):
    """The names in the first column of a page's tables."""
    first = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return [name for cell in first for name in re.findall(r"`([^`]+)`", cell)]


def test_the_table_of_settings_is_the_code(root, configuration):
    table = [line for line in section(configuration, "Settings").splitlines() if line.startswith("| `")]
    assert table == [f"| `{name}` | `{default(root, name)}` | {text} |" for name, text in settings()]


def test_every_annotation_is_explained(configuration):
    found = {
        value for name, value in vars(keys).items() if isinstance(value, str) and value.startswith(f"{keys.GROUP}/")
    }
    assert sorted(name for name in found if f"`{name}`" not in section(configuration, "Annotations")) == []


def test_every_annotation_of_a_declared_object_has_its_row(configuration):
    assert set(rows(section(configuration, "Annotations"))) >= keys.DECLARED


@pytest.mark.parametrize(("title", "struct"), [("GitRepository", RepositorySpec), ("Kustomization", KustomizationSpec)])
def test_every_field_of_a_served_kind_has_its_row(configuration, title, struct):
    documented = set(rows(section(configuration, title)))
    assert {field.encode_name for field in msgspec.structs.fields(struct)} - documented == set()


SOURCES = [
    ("GitRepository", RepositorySpec),
    ("OCIRepository", OciRepositorySpec),
    ("Bucket", BucketSpec),
    ("HelmRepository", HelmRepositorySpec),
    ("HelmChart", ChartSpec),
]


@pytest.mark.parametrize(("title", "struct"), SOURCES)
def test_every_field_of_a_source_has_its_row(root, title, struct):
    documented = set(rows(section((root / "docs" / "sources.md").read_text("utf-8"), title)))
    assert {field.encode_name for field in msgspec.structs.fields(struct)} - documented == set()


def test_every_table_of_a_sources_fields_says_where_it_differs_from_flux(root):
    text = (root / "docs" / "sources.md").read_text("utf-8")
    kinds = [*(title for title, _ in SOURCES), "ExternalArtifact"]
    heads = [line for kind in kinds for line in section(text, kind).splitlines() if line.startswith("| field")]
    assert heads == ["| field | supported | differences, and why |"] * len(kinds)


def test_every_reason_and_status_field_of_a_source_is_explained(root):
    """Reasons as the code writes them out; fields of status as the kinds write them."""
    status = section((root / "docs" / "sources.md").read_text("utf-8"), "Status")
    folders = [f"plugins/gitopsd_plugins/{name}" for name in ("bucket", "external", "git", "helm", "oci")]
    files = [path for folder in (*folders, "gitopsd/plugin/sources") for path in (root / folder).rglob("*.py")]
    code = "\n".join(path.read_text("utf-8") for path in files)
    reasons = set(re.findall(r'reason="([A-Z][A-Za-z]+)"', code)) - {"URLInvalid", "InvalidSTSConfiguration"}
    fields = set(re.findall(r'"((?:observed|included|lastH)[A-Za-z]+|sourceVerificationMode)"', code))
    assert len(reasons) > 5
    assert len(fields) > 10
    assert {name for name in reasons | fields if f"`{name}`" not in status and f"{name}`" not in status} == set()


@pytest.mark.parametrize("page", ["README.md", "docs/configuration.md"])
def test_the_table_of_exit_codes_is_the_code(root, page):
    table = section((root / page).read_text("utf-8"), "Exit codes")
    assert [int(code) for code in re.findall(r"^\| (\d) \|", table, re.M)] == [int(code) for code in Exit]


def test_every_verb_is_in_the_readme(root):
    text = (root / "README.md").read_text("utf-8")
    assert [verb for verb in (*VERBS, "sandbox up") if not re.search(rf"`[^`\n]*\b{verb}\b", text)] == []


def test_the_readme_names_no_verb_that_does_not_exist(root):
    named = set(re.findall(r"^ +(?:~/gitopsd/bin/)?gitopsd (\w+)", (root / "README.md").read_text("utf-8"), re.M))
    assert named - {*VERBS, "sandbox"} == set()


def test_every_hook_is_documented(root):
    table = section((root / "docs" / "plugins.md").read_text("utf-8"), "Roles")
    assert [
        role
        for role in ("kinds", "unserved", "sources", "renderers", "sinks", "accesses", "health")
        if f"`gitopsd_{role}`" not in table
    ] == []


def test_every_link_between_pages_leads_somewhere(root, pages):
    broken = []
    for path, text in pages.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            file, _, anchor = target.partition("#")
            if "://" in target:
                continue
            found = (path.parent / file).resolve() if file else path
            if not found.exists() or (anchor and anchor not in anchors(found.read_text("utf-8"))):
                broken.append(f"{path.name}: {target}")
    assert broken == []


def anchors(text):
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.M)}


def test_paths_that_the_readme_names_are_there(root):
    table = section((root / "README.md").read_text("utf-8"), "Where is X")
    paths = [name for name in re.findall(r"`([\w/]+/[\w/.]*)`", table) if name.startswith(("gitopsd/", "plugins/"))]
    assert paths
    assert [name for name in paths if not (root / name).exists()] == []


def test_yaml_of_the_pages_is_yaml(pages):
    blocks = [block for text in pages.values() for block in re.findall(r"```yaml\n(.*?)```", text, re.S)]
    assert blocks
    assert all(document.value["kind"] for block in blocks for document in yaml.read_all(block.encode()))


@pytest.fixture
def example(root, monkeypatch):
    """The whole plugin of docs/plugins.md, loaded as the registry loads any other."""
    code = re.findall(r"```python\n(.*?)```", (root / "docs" / "plugins.md").read_text("utf-8"), re.S)[0]
    module = types.ModuleType("gitopsd_inline")
    monkeypatch.setitem(__import__("sys").modules, "gitopsd_inline", module)
    exec(compile(code, "docs/plugins.md", "exec"), module.__dict__)
    return registry.load(found=[EntryPoint(name="inline", value="gitopsd_inline", group="gitopsd")])


def inline(**spec):
    return Declared(
        ref=ObjectRef(kind="Inline", namespace="flux-system", name="one"),
        document={"apiVersion": "example.org/v1", "kind": "Inline", "metadata": {"name": "one"}, "spec": spec},
        place=Place(file="a.yaml"),
        spec=digest.of_value(spec),
    )


@pytest.mark.asyncio
async def test_the_plugin_of_the_guide_fetches(example, tmp_path):
    intent = example.kinds["example.org", "Inline"].read(inline(files={"a.yaml": "a: 1\n", "b.yaml": "b: 2\n"}))
    source = example.sources["Inline"]
    with Store.open(tmp_path / "state") as store:
        ctx = types.SimpleNamespace(intake=store)
        revision = await source.resolve(intent, ctx)
        stored = await source.fetch(intent, revision, None, ctx)
        entry = store.node(stored.tree)["b.yaml"]
        assert isinstance(entry, File)
        assert store.blob(entry.digest) == b"b: 2\n"
        assert stored.files == 2


def test_the_plugin_of_the_guide_words_mistakes_for_users(example):
    with pytest.raises(Exception, match="unknown field 'fils'; did you mean 'files'"):
        example.kinds["example.org", "Inline"].read(inline(fils={}))


def test_the_plugin_of_the_guide_writes_a_status(example):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    outcome = Outcome(ref=inline().ref, phase=Phase.READY, generation=1, message="stored", started=now, finished=now)
    assert example.kinds["example.org", "Inline"].status(inline(), outcome, {})["conditions"][0]["status"] == "True"


def test_the_plugin_of_the_guide_is_listed_with_what_it_offers(example):
    [row] = example.plugins
    assert (row.name, row.state) == ("inline", "loaded")
    assert set(row.offers) == {"kinds", "sources", "health"}

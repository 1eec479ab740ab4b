"""Flux's own test cases for substitution and generated kustomizations, where they are at hand (see `test_cases.py`)."""

import json
import os
from pathlib import Path

import pytest

from gitopsd.plugin import Declared, Digest, ObjectRef, Place, Rejected, Tree, yaml
from gitopsd.plugin.folder import LocalFolder
from gitopsd_plugins.kustomize.app import expression, overlay
from gitopsd_plugins.kustomize.app.overlay import Overlay
from gitopsd_plugins.kustomize.files.kustomization import Kustomization
from gitopsd_plugins.kustomize.kind import KustomizationKind
from gitopsd_plugins.kustomize.renderer import KustomizeRenderer

FLUX = Path(os.environ.get("GITOPSD_CASES") or Path(__file__).resolve().parents[4] / "shared" / "cases") / "flux"
READ_HERE = (
    "Test_IsLocalRelativePath",
    "Test_Components",
    "Test_IgnoreMissingComponents",
    "TestKustomizationGenerator",
)
pytestmark = pytest.mark.skipif(not FLUX.is_dir(), reason="the cases are not at hand")


def cases(name, key="cases"):
    return json.loads((FLUX / f"{name}.json").read_text())[key] if FLUX.is_dir() else []


@pytest.mark.parametrize("case", cases("envsubst"), ids=lambda c: c["name"])
def test_expressions(case):
    if "error" in case:
        with pytest.raises(expression.ExpressionError, match=case["error"]):
            expression.substitute(case["input"], case["vars"], strict=case["strict"])
    else:
        assert expression.substitute(case["input"], case["vars"], strict=case["strict"]) == case["expected"]


@pytest.mark.parametrize("case", cases("envsubst", "parse_inputs"), ids=lambda c: c["name"])
def test_parsing(case):
    if case["parses"]:
        expression.parse(case["input"])
    else:
        with pytest.raises(expression.ExpressionError):
            expression.parse(case["input"])


def document(name):
    return yaml.read_all((FLUX / name).read_bytes())[0].value


def data(document):
    field = "data" if document["kind"] == "ConfigMap" else "stringData"
    return {key: value.encode() for key, value in document[field].items()}


def rendered(case, tmp_path):
    """The case's objects as text, built as Flux builds them; the cluster's values come from its files."""
    declared = document(case["kustomization"])
    if case.get("always"):
        declared["spec"].setdefault("postBuild", {})["substituteStrategy"] = "Always"
    if not case["strict"]:
        declared["metadata"]["annotations"] = {"gitopsd.io/substitute": "lenient"}
    ref = ObjectRef(kind="Kustomization", namespace="apps", name="app")
    intent = KustomizationKind().read(
        Declared(ref=ref, document=declared, place=Place(file="ks.yaml"), spec=Digest(""))
    )
    cluster = [d.value for name in case["cluster"] for d in yaml.read_all((FLUX / name).read_bytes())]
    held = {(d["kind"], d["metadata"]["name"]): data(d) for d in cluster if d["kind"] in {"ConfigMap", "Secret"}}
    values = [held.get((value.kind, value.name)) for value in intent.values]
    (tmp_path / "built.yaml").write_text(case["built"])
    source = LocalFolder(tmp_path)
    made = KustomizeRenderer().render(Tree(source, source.root), {**intent.spec, "path": ""}, values)
    return yaml.write_all((m.body for m in made.manifests), sort_keys=True)


@pytest.mark.parametrize("case", cases("varsub"), ids=lambda c: c["name"])
def test_substitution(case, tmp_path):
    if "error" in case:
        with pytest.raises(Rejected, match=case["error"]):
            rendered(case, tmp_path)
        return
    text = rendered(case, tmp_path)
    assert all(part in text for part in case.get("contains", ()))
    assert not any(part in text for part in case.get("not_contains", ()))
    if "expected" in case:
        assert by_name(text) == by_name(case["expected"])


def by_name(text):
    return {(d.value["kind"], d.value["metadata"]["name"]): d.value for d in yaml.read_all(text)}


@pytest.mark.parametrize(
    "case", [c for c in cases("generator") if c["name"].partition("/")[0] in READ_HERE], ids=lambda c: c["name"]
)
def test_overlays(case):
    match case["name"].partition("/")[0]:
        case "Test_IsLocalRelativePath":
            assert overlay.is_local(case["path"]) is case["expected"]
        case "Test_Components":
            own = Kustomization(components=tuple(document("varsub/components/kustomization.yaml")["components"]))
            made = Overlay(components=tuple(case["fluxComponents"])).over(
                own if case["dir"] else Kustomization(), lambda path: True
            )
            assert list(made.components) == case["expectedComponents"]
        case "Test_IgnoreMissingComponents":
            asked = Overlay(
                components=tuple(case["components"]), ignore_missing_components=case["ignoreMissingComponents"]
            )
            made = asked.over(Kustomization(), lambda path: path.startswith("existing"))
            assert list(made.components) == (case["expectedComponents"] or [])
        case _:
            source = LocalFolder(FLUX)
            spec = {k: v for k, v in document(case["flux_kustomization"])["spec"].items() if k in {"images", "patches"}}
            rendered = KustomizeRenderer().render(Tree(source, source.root), {"path": case["path"], **spec})
            assert (
                by_name(yaml.write_all(m.body for m in rendered.manifests)).keys() == by_name(case["expected"]).keys()
            )

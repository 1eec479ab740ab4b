"""`buildMetadata`: notes about where objects come from and what changed them."""

import pytest

from gitopsd.plugin import Rejected
from gitopsd_plugins.kustomize.objects import origins

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
BASE = {
    "base/kustomization.yaml": "resources: [a.yaml]\nnamePrefix: p-\nconfigMapGenerator: [{name: g, literals: [x=1]}]\n",
    "base/a.yaml": CONFIG,
}


def annotations(body):
    return body["metadata"].get("annotations", {})


def test_objects_say_which_file_or_generator_they_come_from(built):
    bodies = built({**BASE, "kustomization.yaml": "resources: [base]\nbuildMetadata: [originAnnotations]\n"})
    found = {b["metadata"]["name"]: annotations(b)[origins.ORIGIN] for b in bodies}
    assert found["p-a"] == "path: base/a.yaml\n"
    assert (
        "configuredIn: base/kustomization.yaml\nconfiguredBy:\n  apiVersion: builtin\n  kind: ConfigMapGenerator\n"
        in (found.values())
    )
    assert not any(origins.CHANGES in annotations(b) for b in bodies)


def test_objects_say_what_changed_them_in_order(built):
    top = "resources: [base]\nbuildMetadata: [transformerAnnotations]\nnamespace: prod\n"
    (first, *_) = built({**BASE, "kustomization.yaml": top})
    changes = annotations(first)[origins.CHANGES]
    assert [line.split()[-1] for line in changes.splitlines() if "kind:" in line] == [
        "PrefixTransformer",
        "NamespaceTransformer",
    ]
    assert "- configuredIn: base/kustomization.yaml" in changes


def test_the_label_says_whose_output_it_is_like(built):
    bodies = built({**BASE, "kustomization.yaml": "resources: [base]\nbuildMetadata: [managedByLabel]\n"})
    assert {b["metadata"]["labels"][origins.MANAGED_BY] for b in bodies} == {"kustomize-v5.8.1"}
    assert not any(annotations(b) for b in bodies)


def test_only_the_top_kustomization_is_asked(built):
    files = {**BASE, "kustomization.yaml": "resources: [base]\n"}
    files["base/kustomization.yaml"] += "buildMetadata: [originAnnotations, managedByLabel]\n"
    assert not any(annotations(b) or "labels" in b["metadata"] for b in built(files))


def test_a_plugin_is_named_with_its_file(built):
    plugin = "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: p}\nname: made\nliterals: [a=b]\n"
    files = {"kustomization.yaml": "generators: [g.yaml]\nbuildMetadata: [originAnnotations]\n", "g.yaml": plugin}
    (body,) = built(files)
    assert annotations(body)[origins.ORIGIN] == (
        "configuredIn: g.yaml\nconfiguredBy:\n  apiVersion: builtin\n  kind: ConfigMapGenerator\n  name: p\n"
    )


LABELS = "apiVersion: builtin\nkind: LabelTransformer\nmetadata: {name: v}\nlabels: {%s: x}\nfieldSpecs: [{path: metadata/labels, create: true}]\n"


def test_a_validator_may_leave_its_mark_and_nothing_else(built):
    files = {"kustomization.yaml": "resources: [a.yaml]\nvalidators: [v.yaml]\n", "a.yaml": CONFIG}
    assert built({**files, "v.yaml": LABELS % "validated-by"})[0]["metadata"]["labels"] == {"validated-by": "x"}
    with pytest.raises(Rejected, match="validator shouldn't modify the resource map"):
        built({**files, "v.yaml": LABELS % "other"})

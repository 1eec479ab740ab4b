"""What is configured by objects and files: built-in plugins, configurations, replacements."""

import pytest

from gitopsd.plugin import Rejected

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {stage: prod}}
spec:
  replicas: 1
  template:
    spec:
      containers:
      - {name: web, image: "example.com/web:v1", env: [{name: A, value: "1"}]}
"""
CONFIG = (
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {host: example.com:80, settings: \'{"a":{"b":1}}\'}\n'
)


def overlay(text):
    return {"kustomization.yaml": "resources: [web.yaml, c.yaml]\n" + text, "web.yaml": WEB, "c.yaml": CONFIG}


def test_a_replacement_copies_a_part_of_a_text(built):
    _, web = built(
        overlay("""\
replacements:
- source: {kind: ConfigMap, name: c, fieldPath: data.host, options: {delimiter: ":", index: 0}}
  targets:
  - select: {kind: Deployment}
    fieldPaths: ["spec.template.spec.containers.[name=web].env.[name=A].value"]
""")
    )
    assert web["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "A", "value": "example.com"}]


def test_a_replacement_keeps_the_type_of_what_it_replaces(built):
    text = """\
replacements:
- sourceValue: "7"
  targets: [{select: {kind: Deployment}, fieldPaths: [spec.replicas, metadata.annotations.stage]}]
"""
    _, web = built(overlay(text))
    assert (web["spec"]["replicas"], web["metadata"]["annotations"]["stage"]) == (7, "7")
    with pytest.raises(Rejected, match="the replacement is not a int"):
        built(overlay(text.replace('"7"', "many")))


def test_a_replacement_goes_on_inside_a_text_of_json(built):
    config, _ = built(
        overlay(
            "replacements: [{sourceValue: '2', targets: [{select: {kind: ConfigMap}, fieldPaths: [data.settings.a.b]}]}]\n"
        )
    )
    assert config["data"]["settings"] == '{"a":{"b":2}}'


def test_a_replacement_creates_only_on_request(built):
    text = "replacements: [{sourceValue: x, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.new]%s}]}]\n"
    with pytest.raises(Rejected, match=r"unable to find field 'data\.new' in replacement target ConfigMap/c"):
        built(overlay(text % ""))
    config, _ = built(overlay(text % ", options: {create: true}"))
    assert config["data"]["new"] == "x"


def test_a_replacement_s_source_must_be_there(built):
    with pytest.raises(Rejected, match="nothing selected by the source"):
        built(overlay("replacements: [{source: {kind: Secret}, targets: [{select: {kind: ConfigMap}}]}]\n"))


def test_a_built_in_plugin_works_where_it_is_told_to(built):
    plugin = """\
transformers:
- |
  apiVersion: builtin
  kind: LabelTransformer
  metadata: {name: l}
  labels: {a: b}
  fieldSpecs: [{path: metadata/labels, kind: Deployment, create: true}]
"""
    config, web = built(overlay(plugin))
    assert web["metadata"]["labels"] == {"a": "b"}
    assert "labels" not in config["metadata"]


def test_a_generator_plugin_in_a_file(built):
    generator = "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: g}\nliterals: [a=b]\noptions: {disableNameSuffixHash: true}\n"
    files = {**overlay("generators: [g.yaml]\n"), "g.yaml": generator}
    assert [b["metadata"]["name"] for b in built(files)] == ["c", "g", "web"]


def test_programs_are_never_run(built):
    with pytest.raises(Rejected, match="only kustomize's built-in plugins"):
        built(overlay("transformers:\n- |\n  apiVersion: example.com/v1\n  kind: Mine\n  metadata: {name: x}\n"))


def test_configurations_teach_new_references(built):
    custom = "apiVersion: example.com/v1\nkind: Custom\nmetadata: {name: x}\nspec: {config: c}\n"
    files = overlay("namePrefix: p-\nconfigurations: [conf.yaml]\n")
    files["web.yaml"] = custom
    files["conf.yaml"] = (
        "nameReference:\n- kind: ConfigMap\n  version: v1\n  fieldSpecs: [{kind: Custom, path: spec/config}]\n"
    )
    found = next(b for b in built(files) if b["kind"] == "Custom")
    assert found["spec"]["config"] == "p-c"


VARIABLES = """\
configMapGenerator: [{name: g, literals: [host=example.com], options: {disableNameSuffixHash: true}}]
vars:
- {name: HOST, objref: {apiVersion: v1, kind: ConfigMap, name: g}, fieldref: {fieldPath: data.host}}
"""


def test_variables_are_put_where_they_are_mentioned(built):
    files = overlay("namePrefix: p-\n" + VARIABLES)
    files["web.yaml"] = WEB.replace('value: "1"', "value: https://$(HOST)/$(OTHER)")
    web = next(b for b in built(files) if b["kind"] == "Deployment")
    assert web["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] == "https://example.com/$(OTHER)"


def test_a_variable_follows_its_object_through_overlays(built):
    files = {
        "base/kustomization.yaml": "resources: [web.yaml]\n" + VARIABLES,
        "base/web.yaml": WEB.replace('value: "1"', "value: $(HOST)"),
        "kustomization.yaml": "resources: [base]\nconfigMapGenerator: [{name: g, behavior: merge, literals: [host=other]}]\n",
    }
    web = next(b for b in built(files) if b["kind"] == "Deployment")
    assert web["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] == "other"


def test_a_variable_without_object_is_refused(built):
    with pytest.raises(Rejected, match="var 'X' cannot be mapped"):
        built(overlay("vars: [{name: X, objref: {kind: Secret, name: none, apiVersion: v1}}]\n"))


def test_definitions_of_own_kinds_teach_references(built):
    files = overlay("namePrefix: p-\ncrds: [types.json]\n")
    files["web.yaml"] = "apiVersion: example.com/v1\nkind: Custom\nmetadata: {name: x}\nspec: {config: {name: c}}\n"
    files["types.json"] = """\
    {"com.example.Custom": {"Schema": {"properties": {"apiVersion": {}, "kind": {}, "metadata": {},
       "spec": {"$ref": "com.example.Spec"}}}},
     "com.example.Spec": {"Schema": {"properties": {
       "config": {"x-kubernetes-object-ref-api-version": "v1", "x-kubernetes-object-ref-kind": "ConfigMap"},
       "self": {"$ref": "com.example.Spec"}}}}}
    """
    found = next(b for b in built(files) if b["kind"] == "Custom")
    assert found["spec"]["config"] == {"name": "p-c"}


def test_a_schema_of_one_s_own_teaches_merge_keys(built):
    files = overlay("openapi: {path: schema.json}\npatches: [{path: p.yaml}]\n")
    files["web.yaml"] = (
        "apiVersion: example.com/v1\nkind: Custom\nmetadata: {name: x}\nspec: {list: [{id: a, v: 1}, {id: b}]}\n"
    )
    files["p.yaml"] = "apiVersion: example.com/v1\nkind: Custom\nmetadata: {name: x}\nspec: {list: [{id: a, v: 2}]}\n"
    files["schema.json"] = """\
    {"definitions": {"Custom": {
      "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Custom"}],
      "properties": {"spec": {"properties": {"list": {"type": "array", "items": {"type": "object"},
        "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "id"}}}}}}}
    """
    found = next(b for b in built(files) if b["kind"] == "Custom")
    assert found["spec"]["list"] == [{"id": "a", "v": 2}, {"id": "b"}]

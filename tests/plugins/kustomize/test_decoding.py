"""What kustomize takes where something else is expected, as its libraries decode it; each compared with the binary by hand."""

import pytest

from gitopsd.plugin import Rejected

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, labels: {old: l}}\ndata: {k: v}\n"


def files(kustomization):
    return {"kustomization.yaml": "resources: [a.yaml]\n" + kustomization, "a.yaml": MAP}


@pytest.mark.parametrize("field", ["commonLabels: {a: ~}", "labels: [{pairs: {a: ~}}]", "labels: [{pairs: {a: }}]"])
def test_null_as_the_value_of_a_label_is_the_empty_text(built, field):
    (body,) = built(files(field))
    assert body["metadata"]["labels"] == {"a": "", "old": "l"}


def test_null_as_the_value_of_a_generators_option_is_the_empty_text(built):
    (body,) = built({"kustomization.yaml": "configMapGenerator: [{name: c, options: {annotations: {b: ~}}}]\n"})
    assert body["metadata"]["annotations"] == {"b": ""}


@pytest.mark.parametrize("field", ["images: [~]", "labels: [~]", "buildMetadata: [~]"])
def test_null_in_a_list_says_nothing(built, field):
    assert len(built(files(field))) == 1


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("fields: ~", "unknown field 'fields'"),
        ("images: [{name: x, foo: }]", "unknown field 'foo'"),
        ("metadata: {foo: bar}", "unknown field 'foo'"),
        ("metadata: {name: 3}", "Expected `str`, got `int`"),
        ("resources: [~]", "an empty path"),
        ("helmCharts: ''", "helmCharts: Expected `array`, got `str`"),
        ("openapi: {path: ~}", "openapi: path is empty"),
        ("commonLabels: {'': b}", "field metadata/labels: an empty key"),
        ("commonAnnotations: {'': b}", "field metadata/annotations: an empty key"),
    ],
)
def test_what_is_wrong_although_it_says_nothing(built, field, message):
    with pytest.raises(Rejected) as refused:
        built(files(field))
    assert message in str(refused.value)


def test_metadata_is_taken(built):
    assert len(built(files("metadata: {name: me, namespace: s, labels: {a: b}, annotations: {c: ~}}"))) == 1


@pytest.mark.parametrize("more", ["---\nnamePrefix: p-\n", "...\nnamePrefix: p-\n", "---\n{{{\n", "--- |\n x\n"])
def test_only_the_first_document_of_a_kustomization_counts(built, more):
    assert [body["metadata"]["name"] for body in built(files(more))] == ["x"]


def test_text_that_is_no_part_of_the_first_document_is_not_looked_at(built):
    assert len(built({"kustomization.yaml": "  resources: [a.yaml]\nnamePrefix: p-\n", "a.yaml": MAP})) == 1


def test_an_empty_first_document_is_an_empty_kustomization(built):
    with pytest.raises(Rejected, match=r"kustomization\.yaml is empty"):
        built({"kustomization.yaml": "---\n# nothing\n---\nresources: [a.yaml]\n", "a.yaml": MAP})


@pytest.mark.parametrize("key", ["a b", "vars: [{x", "é", "a/b", "..x", "1a", "a" * 254, "."])
def test_any_key_is_taken_by_generators(built, key):
    generators = f'configMapGenerator: [{{name: a, envs: [e]}}, {{name: b, literals: ["{key}=v"]}}, {{name: c, files: ["{key}=f"]}}]\n'
    bodies = built({"kustomization.yaml": generators, "e": f"{key}=v\n=nothing\n", "f": "v"})
    assert [body["data"] for body in bodies] == [{key: "v"}] * 3


@pytest.mark.parametrize("operation", ["{op: bad, path: /x}", "{op: add}", "{path: /data/a}", "{op: add, path: 3}"])
def test_operations_of_a_patch_that_meets_nothing_are_not_looked_at(built, operation):
    patch = "patches: [{target: {kind: %s}, patch: '- %s'}]\n"
    assert len(built(files(patch % ("Nope", operation)))) == 1
    with pytest.raises(Rejected, match=r"operation 0"):
        built(files(patch % ("ConfigMap", operation)))


@pytest.mark.parametrize("target", ["", "target: {kind: ConfigMap}, "])
def test_an_empty_list_is_a_patch_that_changes_nothing(built, target):
    (body,) = built(files(f"patches: [{{{target}patch: '[]'}}]\n"))
    assert body["data"] == {"k": "v"}


def test_a_subject_without_a_name_is_named_also_when_no_name_changes(built):
    binding = "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: b}\nsubjects: [{kind: ServiceAccount}]\n"
    with pytest.raises(Rejected, match="has no 'name' field"):
        built({"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": binding})


@pytest.mark.parametrize(
    "configuration",
    [
        "namePrefix: ~",
        "NAMEPREFIX: []",
        "varReference: [{path: 3, kind: X}]",
        "varReference: [{path: spec/x, kind: }, ~]",
        "nameReference: [{kind: Deployment, fieldSpecs: ~}]",
    ],
)
def test_configurations_are_read_by_the_types_of_their_fields(built, configuration):
    assert len(built({**files("configurations: [c.yaml]\n"), "c.yaml": configuration})) == 1


@pytest.mark.parametrize(
    ("configuration", "message"), [("foo: bar", "unknown field 'foo'"), ("[]", "Expected `object`")]
)
def test_configurations_that_are_none_are_refused(built, configuration, message):
    with pytest.raises(Rejected, match=message):
        built({**files("configurations: [c.yaml]\n"), "c.yaml": configuration})


def test_infinity_is_no_value_that_a_replacement_can_put_anywhere(built):
    target = "targets: [{select: {kind: ConfigMap}, fieldPaths: [spec.n], options: {create: true}}]"
    number = {**files(f"replacements: [{{sourceValue: '.inf', {target}}}]\n"), "a.yaml": MAP + "spec: {n: }\n"}
    with pytest.raises(Rejected, match=r"'\.inf' is no number"):
        built(number)


def test_annotations_are_texts_as_they_are_spelled_and_labels_what_they_stand_for(built):
    metadata = "{name: x, %s: {a: 1.10, b: 0x1F, c: True, d: 2001-01-01, e: '1.10', f: 3}}"
    made = {}
    for field in ("annotations", "labels"):
        item = "{apiVersion: v1, kind: ConfigMap, metadata: %s}" % (metadata % field)
        listed = f"---\napiVersion: v1\nkind: List\nitems:\n- {item}\n"
        (body,) = built({"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": listed})
        made[field] = body["metadata"][field]
    assert made["annotations"] == {"a": "1.10", "b": "0x1F", "c": "True", "d": "2001-01-01", "e": "1.10", "f": "3"}
    assert made["labels"] == {"a": 1.1, "b": 31, "c": True, "d": "2001-01-01T00:00:00Z", "e": "1.10", "f": 3}
    assert {type(value) for value in (*made["annotations"].values(), *made["labels"].values())} == {
        str,
        float,
        int,
        bool,
    }


@pytest.mark.parametrize("how", ["{path: p.yaml}", "{path: p.yaml, target: {kind: ConfigMap}}"])
def test_a_patch_brings_annotations_as_they_are_spelled(built, how):
    patch = MAP.replace("labels: {old: l}", "annotations: {a: 1.10}")
    (body,) = built({**files(f"patches: [{how}]\n"), "p.yaml": patch})
    assert body["metadata"]["annotations"] == {"a": "1.10"}


def test_a_number_in_a_label_is_one_where_a_replacement_reads_it(built):
    target = "targets: [{select: {kind: ConfigMap}, fieldPaths: [data.k]}]"
    numbered = MAP.replace("labels: {old: l}", "labels: {old: 1.10}")
    replacement = f"replacements: [{{source: {{kind: ConfigMap, fieldPath: metadata.labels.old}}, {target}}}]\n"
    (body,) = built({**files(replacement), "a.yaml": numbered})
    assert (body["data"]["k"], body["metadata"]["labels"]["old"]) == ("1.1", 1.1)


def test_null_in_an_annotation_is_the_word_for_it(built):
    annotated = MAP.replace("labels: {old: l}", "annotations: {a: ~, b: 'null'}")
    (body,) = built({"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": annotated})
    assert body["metadata"]["annotations"] == {"a": "~", "b": "null"}

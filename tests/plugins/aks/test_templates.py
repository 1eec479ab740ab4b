"""ARM expressions and the subset of Bicep: what they come to, what stays unknown, and what is refused with its line."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plugins.aks.conftest import Importing

from gitopsd_plugins.aks import arm_expression, bicep_expression, bicep_tokens, evaluation
from gitopsd_plugins.aks.evaluation import Scope
from gitopsd_plugins.aks.resource import InputError, Unknown

SCOPE = Scope(name=lambda name: {"x": "X", "n": 3, "o": {"a": 1}, "l": [1, 2]}.get(name, Unknown(name)))


def of_bicep(text: str) -> Any:
    return evaluation.value(bicep_expression.parsed(bicep_tokens.of(text, file="f"), file="f"), SCOPE)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'a${x}b'", "aXb"),
        ("'it\\'s'", "it's"),
        ("'''\nraw ${x}\n'''", "raw ${x}\n"),
        ("n == 3 ? 'y' : 'n'", "y"),
        ("n > 5 ? 1\n  : n > 2\n    ? 2\n    : 3", 2),
        ("o.a", 1),
        ("o.?b ?? 'none'", "none"),
        ("l[1]", 2),
        ("[for i in range(0, 2): 'k${i}']", ["k0", "k1"]),
        ("[for (v, i) in l: { k: v, i: i }]", [{"k": 1, "i": 0}, {"k": 2, "i": 1}]),
        ("[for v in l: if (v > 1) v]", [2]),
        ("{ ...o, 'b-c': 2 }", {"a": 1, "b-c": 2}),
        ("map(l, v => v * 2)", [2, 4]),
        ("filter(l, v => v != 1)", [2]),
        ("reduce(l, 0, (sum, v) => sum + v)", 3),
        ("toObject(l, v => 'k${v}', v => v)", {"k1": 1, "k2": 2}),
        ("union({ a: 1 }, { b: 2 })", {"a": 1, "b": 2}),
        ("empty('') && !empty(l)", True),
        ("toLower('ABC')", "abc"),
        ("base64('a')", "YQ=="),
        ("sys.concat('a', 'b')", "ab"),
        ("first(split('a/b', '/'))", "a"),
        ("{ a: [ 1, 2 ] // said\n b: true }", {"a": [1, 2], "b": True}),
        ("contains(['a'], 'a')", True),
        ("null ?? 'd'", "d"),
        ("'Ab' =~ 'aB'", True),
        ("#disable-next-line BCP081 // why\n'a'", "a"),
    ],
)
def test_bicep_expressions(text: str, value: Any) -> None:
    assert of_bicep(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "uniqueString('a')",
        "nobody",
        "nobody.id",
        "'a${nobody}'",
        "listKeys('x').key",
        "o.a.b",
        "reference(x).z",
        "nobody::inner.id",
    ],
)
def test_what_only_azure_knows_stays_unknown(text: str) -> None:
    assert isinstance(of_bicep(text), Unknown)


@pytest.mark.parametrize(
    "text",
    [
        "[for i in l: if",
        "(a",
        "(a,",
        "'open",
        "{ a: }",
        "[1",
        "f(",
        "a b",
        "'${a'",
        "? 1 : 2",
        "x[",
        "[for i in l]",
        "'\\q'",
        "(" * 200,
        "#",
    ],
)
def test_what_is_no_bicep_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(InputError, match="f:1"):
        of_bicep(text)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_as_bicep(text: str) -> None:
    with suppress(InputError):
        of_bicep(text)


@given(st.text(alphabet="[]()'.,ab1 ?", max_size=40))
def test_any_text_is_read_or_refused_as_an_arm_expression(text: str) -> None:
    with suppress(InputError):
        evaluation.value(arm_expression.parsed(f"[{text}]"), SCOPE)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[concat('a', 'it''s')]", "ait's"),
        ("[format('{0}-{1}', 'a', 1)]", "a-1"),
        ("[if(equals('a', 'a'), 'yes', reference('x'))]", "yes"),
        ("[createObject('a', createArray(1, null()))]", {"a": [1, None]}),
        ("[resourceId('A.B/c', 'n')]", "/providers/A.B/c/n"),
        ("[json('{\"a\": 1}').a]", 1),
        ("[coalesce(null(), 'd')]", "d"),
        ("[length(createArray(1, 2))]", 2),
        ("[tryGet(createObject('a', 1), 'b')]", None),
    ],
)
def test_arm_expressions(text: str, value: Any) -> None:
    assert evaluation.value(arm_expression.parsed(text), SCOPE) == value


def template(resource: dict[str, Any], **parts: Any) -> str:
    flux = {
        "type": "Microsoft.KubernetesConfiguration/fluxConfigurations",
        "name": "app",
        "properties": {
            "namespace": "web",
            "gitRepository": {"url": "https://github.com/o/r", "repositoryRef": {"branch": "main"}},
            "kustomizations": {"a": {}},
        },
        **resource,
    }
    return json.dumps({"$schema": "x", "contentVersion": "1.0.0.0", "resources": [flux], **parts})


def test_a_loop_of_a_template_makes_one_configuration_for_each_turn(imported: Importing) -> None:
    copy = {"name": "c", "count": "[length(variables('names'))]"}
    made = imported(
        template({"copy": copy, "name": "[variables('names')[copyIndex()]]"}, variables={"names": ["one", "two"]})
    )
    assert [name for name in made.names if name.startswith("GitRepository")] == [
        "GitRepository/web/one",
        "GitRepository/web/two",
    ]


def test_a_condition_that_is_false_leaves_a_resource_out(imported: Importing) -> None:
    with pytest.raises(InputError, match="holds no flux configuration"):
        imported(template({"condition": "[not(true())]"}))


def test_the_old_child_form_is_named_by_its_last_segment(imported: Importing) -> None:
    kind = "Microsoft.ContainerService/managedClusters/providers/fluxConfigurations"
    made = imported(template({"type": kind, "name": "aks/Microsoft.KubernetesConfiguration/app"}))
    assert "GitRepository/web/app" in made.names


def test_a_bracket_that_means_itself(imported: Importing) -> None:
    made = imported(template({"properties": {
        "gitRepository": {"url": "https://github.com/o/r", "repositoryRef": {"branch": "[[x]"}}, "kustomizations": {"a": {}},
    }}))  # fmt: skip
    assert made.spec("GitRepository", "app")["ref"] == {"branch": "[x]"}


def test_an_unknown_value_in_the_result_is_an_error_with_path_and_reason(imported: Importing) -> None:
    with pytest.raises(InputError, match=r"name is the parameter who, which has no value.*--param NAME=VALUE"):
        imported(template({"name": "[parameters('who')]"}, parameters={"who": {"type": "string"}}))


def test_a_cluster_that_is_written_in_ways_that_are_not_read_does_no_harm(imported: Importing) -> None:
    made = imported("""
resource mc 'Microsoft.ContainerService/managedClusters@2024-01-01' = {
  name: 'aks'
  odd: what is this
}
resource f 'Microsoft.KubernetesConfiguration/fluxConfigurations@2023-05-01' = {
  scope: mc
  name: 'app'
  properties: {
    gitRepository: { url: 'https://h/r', repositoryRef: { branch: 'main' } }
    kustomizations: { a: {} }
  }
}
""")
    assert "Kustomization/default/app-a" in made.names


def test_an_unknown_value_elsewhere_does_no_harm(imported: Importing) -> None:
    assert "GitRepository/web/app" in imported(template({"scope": "[reference('x').id]"})).names


def test_a_linked_template_is_named_and_lost(imported: Importing) -> None:
    linked = {
        "type": "Microsoft.Resources/deployments",
        "name": "x",
        "properties": {"templateLink": {"uri": "https://x"}},
    }
    whole = json.loads(template({}))
    whole["resources"].append(linked)
    made = imported(json.dumps(whole))
    assert made.found.lost
    assert "a linked template is not read" in made.said


def test_files_beside_a_bicep_file_are_read_and_others_are_not(imported: Importing, tmp_path: Path) -> None:
    folder = tmp_path / "bicep"
    folder.mkdir()
    (folder / "id").write_text("-----BEGIN KEY-----\nx\n-----END KEY-----\n")
    text = """
resource f 'Microsoft.KubernetesConfiguration/fluxConfigurations@2023-05-01' = {
  name: 'app'
  properties: {
    gitRepository: { url: 'ssh://git@h/r', repositoryRef: { branch: 'main' } }
    configurationProtectedSettings: { sshPrivateKey: loadFileAsBase64('FILE') }
    kustomizations: { a: {} }
  }
}
"""
    assert "identity" in imported(text.replace("FILE", "id"), folder=folder).secrets["app-auth"]
    with pytest.raises(InputError, match="lies outside of"):
        imported(text.replace("FILE", "../id"), folder=folder)


def test_a_resource_without_a_body_is_refused_with_its_line(imported: Importing) -> None:
    with pytest.raises(InputError, match=r"input:1: resource f has no body"):
        imported("resource f 'Microsoft.KubernetesConfiguration/fluxConfigurations@2023-05-01'\n")


def test_a_parameters_file_of_bicep_brings_its_values(imported: Importing, tmp_path: Path) -> None:
    (tmp_path / "main.bicep").write_text("""
param branch string
resource f 'Microsoft.KubernetesConfiguration/fluxConfigurations@2023-05-01' = if (branch != '') {
  name: 'app'
  properties: {
    gitRepository: { url: 'https://h/r', repositoryRef: { branch: branch } }
    kustomizations: { a: {} }
  }
}
""")
    made = imported("using 'main.bicep'\nparam branch = 'next'\n", folder=tmp_path)
    assert made.spec("GitRepository", "app")["ref"] == {"branch": "next"}

"""Post-build substitution: which variables, into what, and what is said where it goes wrong."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.plugin import Rejected
from gitopsd_plugins.kustomize.app import expression
from gitopsd_plugins.kustomize.renderer import KustomizeRenderer

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n"


def one(tree, text, values=(), sources=(), **post_build):
    """The only object of a file with this data."""
    spec = {"postBuild": {**post_build, "substituteFrom": list(sources)}}

    made = KustomizeRenderer().render(tree({"c.yaml": CONFIG + text}), spec, values)
    (manifest,) = made.manifests
    return manifest.body, made.warnings


def data(tree, text, *values, sources=(), **post_build):
    return one(tree, text, values, sources, **post_build)[0]["data"]


def test_variables_are_put_into_texts_and_keys(tree):
    assert data(tree, "  a: ${x}-${y:=z}\n  b_${x}: plain\n", substitute={"x": "1a"}) == {"a": "1a-z", "b_1a": "plain"}


def test_later_sources_win_inline_ones_win_over_all_and_line_breaks_go(tree):
    sources = [
        {"kind": "ConfigMap", "name": "one"},
        {"kind": "Secret", "name": "two"},
        {"kind": "Secret", "name": "no"},
    ]
    values = [{"a": b"1", "b": b"1", "c": b"1"}, {"b": b"t\nw\no\n", "c": b"2"}, None]
    found = data(tree, "  a: x${a}\n  b: x${b}\n  c: x${c}\n", *values, sources=sources, substitute={"c": "3"})
    assert found == {"a": "x1", "b": "xtwo", "c": "x3"}


def test_nothing_happens_without_a_variable_unless_the_strategy_says_so(tree):
    assert data(tree, "  a: ${x:=1a}\n") == {"a": "${x:=1a}"}
    assert data(tree, "  a: ${x:=1a}\n", substituteStrategy="Always") == {"a": "1a"}


@pytest.mark.parametrize("where", ["labels", "annotations"])
def test_an_object_may_opt_out(tree, where):
    marker = f"  a: ${{x}}\nmetadata: {{name: c, {where}: {{kustomize.toolkit.fluxcd.io/substitute: disabled}}}}\n"
    files = {"c.yaml": "apiVersion: v1\nkind: ConfigMap\ndata:\n" + marker}

    (manifest,) = KustomizeRenderer().render(tree(files), {"postBuild": {"substitute": {"x": "1"}}}).manifests
    assert manifest.body["data"] == {"a": "${x}"}


def test_a_text_that_becomes_something_else_is_told(tree):
    body, warnings = one(
        tree, '  a: ${n}\n  b: ["${t}"]\n  c: ${q}${n}${q}\n', substitute={"n": "4", "t": "yes", "q": '"'}
    )
    assert body["data"] == {"a": 4, "b": [True], "c": "4"}
    assert [w.partition(" by ")[0] for w in warnings] == [
        "ConfigMap/c: data.a: a text became a number",
        "ConfigMap/c: data.b[0]: a text became a boolean",
    ]
    assert "4" not in warnings[0].partition(";")[0]


@pytest.mark.parametrize(
    ("text", "substitute", "message"),
    [
        ("  a: fine\n  b: [x, '${no}']\n", {"x": "1"}, "ConfigMap/c: data.b[1]: variable not set (strict mode): 'no'"),
        ("  a: '${x'\n", {"x": "1"}, "ConfigMap/c: data.a: bad substitution: missing closing brace after ${x"),
        ("  a: '${}'\n", {"x": "1"}, "ConfigMap/c: data.a: unable to parse a variable's name"),
        ("  a: ${x}\n", {"x": "[s3cret"}, "ConfigMap/c: is no YAML any more after substitution, at line"),
        ("  a: ${x}\n", {"1x": "1"}, "spec.postBuild.substitute: '1x' var name is invalid"),
    ],
)
def test_mistakes_name_object_field_and_variable_and_no_value(tree, text, substitute, message):
    with pytest.raises(Rejected, match=re.escape(message)) as caught:
        data(tree, text, substitute=substitute)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a.b": b"s3cret"}, "Secret/s: 'a.b' var name is invalid"),
        ({"a": b"\xff"}, "Secret/s: a: the value is not UTF-8"),
    ],
)
def test_what_a_source_may_not_hold_is_named_with_it(tree, value, message):
    with pytest.raises(Rejected, match=re.escape(f"spec.postBuild.substituteFrom[0]: {message}")) as caught:
        data(tree, "  a: b\n", value, sources=[{"kind": "Secret", "name": "s"}])
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${a:1:2}", "bc"),
        ("${a: -2}", "abcABC"),
        ("${a:${m}}", "BC"),
        ("${a:4:${m}}", None),
        ("${a#a?}", "cABC"),
        ("${a##*b}", "cABC"),
        ("${a%[A-C]}", "abcABC"),
        ("${a%%[^a]*}", "abcABC"),
        ("${u:0:1}", None),
        ("${u^^}${#u}", "É2"),
        ("${a//b}", None),
        ("$a $${a} ${a}", "$a ${a} abcABC"),
        ("${no:+x}${no:?y}${no=z}", "xyz"),
    ],
)
def test_operators(text, expected):
    values = {"a": "abcABC", "m": "-2", "u": "é"}
    if expected is None:
        with pytest.raises(expression.ExpressionError):
            expression.substitute(text, values)
    else:
        assert expression.substitute(text, values) == expected


SIGNS = ["${", "}", "$", "$$", "a", "b", ":", "=", "-", "#", "%", "/", ",", "^", "*", "[", "]", "\\", " ", "1", "é"]


@given(st.lists(st.sampled_from(SIGNS), max_size=14).map("".join))
def test_any_text_is_substituted_or_refused(text):
    try:
        expression.substitute(text, {"a": "x[*y", "b": ""}, strict=False)
    except expression.ExpressionError:
        assert "$" in text


@given(st.text())
def test_a_text_without_dollars_stays(text):
    assert expression.substitute(text.replace("$", ""), {"a": "x"}) == text.replace("$", "")


def test_depth_and_size_are_limited():
    with pytest.raises(expression.ExpressionError, match="more than 50 deep"):
        expression.parse("${a:-" * 100)
    with pytest.raises(expression.ExpressionError, match="more than 16,777,216 characters"):
        expression.substitute("${a}" * 200, {"a": "x" * 100_000})
    with pytest.raises(expression.ExpressionError, match="cannot be trimmed"):
        expression.substitute("${a#x}", {"a": "x" * 20_000})

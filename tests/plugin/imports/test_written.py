"""What imports print: every value as it is, whatever YAML would make of it, with its comment."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.plugin import yaml
from gitopsd.plugin.imports import Imported, difference, written
from gitopsd.plugin.imports.imported import Path

TEXTS = st.text(
    st.characters(
        codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\x85\u2028\u2029\ufeff\ufffe\uffff"
    )
)


def made(spec: Any, origins: dict[Path, str] | None = None, kind: str = "ConfigMap") -> Imported:
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a", "namespace": "b"}, "data": spec}
    return Imported(body=body, origins=origins or {}, heading="from a file")


@pytest.mark.parametrize(
    "value",
    [
        "yes",
        "on",
        "1e3",
        "0x1f",
        "1:30",
        "null",
        "~",
        "",
        "2001-01-01",
        " a",
        "a: b",
        "#",
        "- a",
        "line\n",
        "a\nb",
        "tab\there\n",
        "=",
        "<<",
    ],
)
def test_texts_that_yaml_would_take_for_something_else_stay_texts(value: str) -> None:
    it = made({"key": value, "list": [value]})
    [document] = yaml.read_all(written.as_yaml([it]).encode())
    assert document.value == it.body


@given(st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=4))
def test_every_text_is_read_back_as_it_was(values: dict[str, str]) -> None:
    it = made(values)
    [document] = yaml.read_all(written.as_yaml([it]).encode())
    assert document.value == it.body


def test_comments_stand_beside_their_values() -> None:
    text = written.as_yaml([made({"a": "1", "b": "x\ny\n"}, {("data", "a"): "--one", ("data", "b"): "--two"})])
    lines = text.splitlines()
    assert lines[:2] == ["---", "# from a file"]
    assert any(line.startswith('  a: "1"') and line.endswith("# --one") for line in lines)
    assert lines[lines.index("  b: |") - 1].strip() == "# --two"


def differences(wanted: Any, live: Any, kind: str = "ConfigMap") -> list[str]:
    it = made(wanted, kind=kind)
    return [str(found) for found in difference.of([it], {it.id: {**it.body, "data": live}})]


def test_only_what_is_stated_is_compared() -> None:
    assert differences({"a": "1"}, {"a": "1", "more": "2"}) == []
    assert differences({"a": {"b": [1]}}, {"a": {"b": [2]}}) == [
        "ConfigMap/b/a: data.a.b: the cluster has [2], the input says [1]"
    ]
    assert differences({"a": "1"}, {}) == ['ConfigMap/b/a: data.a: the cluster has nothing, the input says "1"']


def test_values_of_a_secret_are_never_shown() -> None:
    assert differences({"a": "c2VzYW1l"}, {"a": "b3Blbg=="}, kind="Secret") == ["Secret/b/a: data.a: differs"]


def test_an_object_that_is_not_there_is_one_difference() -> None:
    assert [str(found) for found in difference.of([made({"a": "1"})], {})] == ["ConfigMap/b/a: is not in the cluster"]

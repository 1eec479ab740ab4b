"""Whose a change is: what we send, or what the server makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.reconcile import authors, diff

CASES: dict[str, tuple[Any, Any, Any, list[tuple[str, Any, Any, str]]]] = {
    "a value that we change": ({"a": 1}, {"a": 2}, {"a": 2}, [("spec.a", 1, 2, "ours")]),
    "a field that we add": ({}, {"a": 1}, {"a": 1}, [("spec.a", None, 1, "ours")]),
    "a field that we stop stating": ({"a": 1, "b": 1}, {"b": 1}, {"b": 1}, [("spec.a", 1, None, "ours")]),
    "a default": ({}, {"a": 1}, {"a": 1, "d": 0}, [("spec.a", None, 1, "ours"), ("spec.d", None, 0, "server")]),
    "a default within what we add": (
        {}, {"c": {"a": 1}}, {"c": {"a": 1, "d": 0}},
        [("spec.c", None, {"a": 1}, "ours"), ("spec.c.d", None, 0, "server")],
    ),
    "what a webhook makes of it": (
        {"i": "a:1"}, {"i": "a:2"}, {"i": "r/a:2"}, [("spec.i", "a:1", "a:2", "ours"), ("spec.i", "a:2", "r/a:2", "server")],
    ),
    "another way to write the same": ({"cpu": "1"}, {"cpu": "1000m"}, {"cpu": "1"}, []),
    "a field that we state no more and the server fills again": ({"r": 3}, {}, {"r": 1}, [("spec.r", 3, 1, "server")]),
    "a field of others": ({"o": 1}, {"a": 1}, {"a": 1, "o": 1}, [("spec.a", None, 1, "ours")]),
    "a new item and its default": (
        {"containers": [{"name": "a", "p": 1}]},
        {"containers": [{"name": "b"}, {"name": "a"}]},
        {"containers": [{"name": "b", "p": 1}, {"name": "a", "p": 1}]},
        [("spec.containers[b]", None, {"name": "b"}, "ours"), ("spec.containers[b].p", None, 1, "server")],
    ),
    "an item that goes": (
        {"containers": [{"name": "a"}, {"name": "b"}]}, {"containers": [{"name": "a"}]}, {"containers": [{"name": "a"}]},
        [("spec.containers[b]", {"name": "b"}, None, "ours")],
    ),
    "a set that others add to": (
        {"f": ["y"]}, {"f": ["x"]}, {"f": ["x", "y"]}, [("spec.f[0]", "y", "x", "ours"), ("spec.f[1]", None, "y", "ours")],
    ),
    "arguments": ({"args": ["a", "b"]}, {"args": ["a", "c"]}, {"args": ["a", "c"]}, [("spec.args[1]", "b", "c", "ours")]),
    "null": ({"a": 1}, {"a": None}, {}, [("spec.a", 1, None, "ours")]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_whose_a_change_is(case: str) -> None:
    live, sent, predicted, expected = CASES[case]
    found = diff.compared({"spec": live}, {"spec": predicted}, sent={"spec": sent}).fields
    assert [(f.path, f.before, f.after, str(f.by)) for f in found] == expected


def test_of_a_new_object_what_we_state_is_ours() -> None:
    found = diff.compared(None, {"kind": "X", "spec": {"a": 1, "d": 0}}, sent={"kind": "X", "spec": {"a": 1}}).fields
    assert [(f.path, f.after, str(f.by)) for f in found] == [
        ("kind", "X", "ours"),
        ("spec", {"a": 1}, "ours"),
        ("spec.d", 0, "server"),
    ]


def test_an_estimate_lays_what_we_send_over_what_is_there() -> None:
    live = {"spec": {"o": 1, "containers": [{"name": "a", "image": "a:1", "p": 1}]}}
    sent = {"spec": {"containers": [{"name": "a", "image": "a:2"}, {"name": "b"}]}}
    assert authors.estimated(live, sent) == {
        "spec": {"o": 1, "containers": [{"name": "a", "image": "a:2", "p": 1}, {"name": "b"}]}
    }


_SPEC = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(
        st.integers(0, 3),
        lambda inner: st.dictionaries(st.sampled_from(["name", "x"]), inner, max_size=2) | st.lists(inner, max_size=3),
        max_leaves=6,
    ),
    max_size=3,
)


@given(_SPEC, _SPEC)
def test_where_the_server_adds_nothing_every_change_is_ours(live: Any, sent: Any) -> None:
    found = diff.compared({"spec": live}, {"spec": sent}, sent={"spec": sent})
    assert {str(f.by) for f in found.fields} <= {"ours"}
    assert found.fields == diff.compared({"spec": live}, {"spec": sent}).fields


@given(_SPEC, _SPEC)
def test_where_we_send_nothing_new_no_value_is_ours(live: Any, predicted: Any) -> None:
    found = diff.compared({"spec": live}, {"spec": predicted}, sent={})
    assert all(f.after is None for f in found.fields if str(f.by) == "ours")


@given(_SPEC, _SPEC, _SPEC)
def test_equal_ends_have_no_differences(live: Any, sent: Any, other: Any) -> None:
    assert diff.compared({"spec": live}, {"spec": live}, sent={"spec": sent}).fields == ()

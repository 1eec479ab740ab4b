"""Values files merged into one."""

from __future__ import annotations

import pytest

from gitopsd.plugin import Rejected
from gitopsd_plugins.helm import values


def merged(**files):
    read = {name: text.encode() for name, text in files.items()}
    return values.merged(tuple(files), read.get, ignore_missing=False)


@pytest.mark.parametrize(
    ("one", "two", "result"),
    [
        ("a: {b: 1, c: 2}", "a: {b: 3}", "a:\n  b: 3\n  c: 2\n"),
        ("a: {b: 1}", "a: [1]", "a:\n- 1\n"),
        ("a: {b: 1}", "a: null", "a: null\n"),
        ("a: null", "a: {b: 1}", "a:\n  b: 1\n"),
        ("z: 1\na: 1", "", "a: 1\nz: 1\n"),
        ('a: "1"', "b: yes", 'a: "1"\nb: true\n'),
    ],
)
def test_later_files_win_and_maps_are_merged(one, two, result):
    assert merged(one=one, two=two) == (result.encode(), ("one", "two"))


@pytest.mark.parametrize("text", ["- a", "text", "a: [", "a: " + "{a: " * 250 + "1" + "}" * 250])
def test_file_that_holds_no_values_is_named(text):
    with pytest.raises(Rejected, match="one"):
        merged(one="a: 1", two="a: 1") and merged(one=text)


def test_values_nested_too_deep_to_merge_are_refused(monkeypatch):
    monkeypatch.setattr(values, "MAX_DEPTH", 3)

    with pytest.raises(Rejected, match="nested deeper than 3"):
        merged(one="a: {b: {c: {d: {e: 1}}}}", two="a: {b: {c: {d: {e: 2}}}}")


def test_nothing_there_leaves_the_chart_its_own():
    _, of = values.merged(("a", "b"), {}.get, ignore_missing=True)

    assert of == ()

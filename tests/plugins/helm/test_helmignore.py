"""Helm's ignore files, where they are strange or hostile; the ordinary is compared with the real helm."""

from __future__ import annotations

import pytest

from gitopsd.plugin import Rejected
from gitopsd_plugins.helm import helmignore


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        ("", ["templates/.x"]),
        ("!templates/", ["Chart.yaml", "a/b", "templates/.x", "templates/x"]),
        ("a", ["a/b", "templates/.x"]),
        ("b", ["a/b", "templates/.x"]),
        ("/b", ["templates/.x"]),
    ],
)
def test_paths_are_left_out(text, left_out):
    rules = helmignore.read(text)

    assert [
        p for p in ("Chart.yaml", "a/b", "templates/.x", "templates/x") if helmignore.excludes(rules, p)
    ] == left_out


@pytest.mark.parametrize("text", ["a/**/b", "\n".join(f"a{n}" for n in range(3000))])
def test_what_helm_refuses_or_nobody_writes_is_refused(text):
    with pytest.raises(Rejected, match=r"^.helmignore: "):
        helmignore.read(text)


@pytest.mark.parametrize("text", ["[", "[]", "[^a", "[+--]", "[a&&b]", "[^]x]", "\\", "a\\", "[a\\]b]", "*[*"])
def test_odd_pattern_leaves_out_no_chart(text):
    assert not helmignore.excludes(helmignore.read(text), "Chart.yaml")


def test_range_that_runs_backwards_is_no_pattern():
    with pytest.raises(Rejected, match="is no pattern"):
        helmignore.read("[z-a]")


def test_pattern_of_many_stars_is_decided_at_once():
    rules = helmignore.read("*a" * 60 + "b")

    assert not helmignore.excludes(rules, "a" * 250)

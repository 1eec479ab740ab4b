"""What stays out of an artifact, on the cases of fluxcd/pkg sourceignore."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.plugin.sources import ignore

DATA = json.loads((Path(__file__).parents[2] / "data/git/sourceignore.json").read_text())
VERDICTS = {
    "Exclude": {"exclude"},
    "Include": {"include"},
    "NoMatch": {"none"},
    "Include or NoMatch": {"include", "none"},
}


@pytest.mark.parametrize("case", DATA["cases"], ids=lambda c: f"{c['name']} {c['path']}")
def test_verdict_is_that_of_flux(case):
    patterns = ignore.read(case.get("ignore", ""), case.get("domain", ()))
    patterns += [ignore.pattern(p["pattern"], p["domain"]) for p in case.get("patterns", ())]
    if case["mode"] == "default":
        defaults = ignore.rules({}, None, domain=case["domain"]).patterns
        patterns = [*defaults, *patterns]

    verdict = ignore.of_patterns(patterns).verdict(case["path"].split("/"), directory=case["is_dir"])

    if "verdict" in case:
        assert verdict.value in VERDICTS[case["verdict"]]
    else:
        assert (verdict is ignore.Verdict.EXCLUDE) is case["ignored"]


def test_default_sets_are_those_of_flux():
    constants = DATA["constants"]

    assert ",".join(ignore.VCS) == constants["ExcludeVCS"]
    assert ",".join(ignore.EXTENSIONS) == constants["ExcludeExt"]
    assert ",".join(ignore.CI) == constants["ExcludeCI"]
    assert ",".join(ignore.EXTRA) == constants["ExcludeExtra"]


def test_nested_ignore_files_apply_below_their_own_directory():
    rules = ignore.rules({"": "root.txt", "a/b": "subdir.txt", "z": "last.txt"}, None)

    assert rules.excludes(["root.txt"])
    assert rules.excludes(["a", "b", "subdir.txt"])
    assert not rules.excludes(["a", "c", "subdir.txt"])
    assert not rules.excludes(["e", "last.txt"])


def test_one_given_pattern_leaves_only_the_version_control_set():
    assert ignore.rules({}, None).excludes(["logo.png"])
    assert not ignore.rules({}, "*.md").excludes(["logo.png"])
    assert ignore.rules({}, "*.md").excludes([".gitignore"])


def test_spec_wins_over_files():
    rules = ignore.rules({"": "/*\n"}, "!/deploy\n")

    assert rules.excludes(["docs", "a.md"])
    assert not rules.excludes(["deploy", "app.yaml"])


@given(st.text(alphabet="ab/*?[]^-\\! #.", max_size=20), st.lists(st.text("ab[]", min_size=1), min_size=1, max_size=4))
def test_any_pattern_gives_a_verdict(line, path):
    assert ignore.rules({}, line).verdict(path) in ignore.Verdict


@pytest.mark.parametrize(
    ("line", "name", "excluded"),
    [
        ("*a*b*c", "xxaxxbxxc", True),
        ("*a*b*c", "xxaxxcxxb", False),
        ("a*a", "aa", True),
        ("a*a", "a", False),
        ("*ab*ab", "abab", True),
        ("*ab*ab", "aab", False),
        ("[^a-c]x", "dx", True),
        ("[^a-c]x", "bx", False),
        ("[!a]x", "!x", True),
        (r"\*x", "*x", True),
        (r"\*x", "ax", False),
    ],
)
def test_name_patterns(line, name, excluded):
    assert ignore.rules({}, line).excludes([name]) is excluded


@pytest.mark.timeout(5)
def test_no_pattern_takes_long():
    assert not ignore.rules({}, "*a" * 100 + "b").excludes(["a" * 255])

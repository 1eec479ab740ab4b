"""Versions and constraints, on the cases of Masterminds/semver and Flux."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.plugin.sources import semver

CASES = json.loads((Path(__file__).parents[2] / "data/git/semver.json").read_text())


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda c: f"{c['constraint']} on {c['version']}")
def test_constraint_selects_as_flux_does(case):
    found = semver.constraint(case["constraint"])

    allowed = found.allows(semver.version(case["version"]), prereleases=case["include_prerelease"])

    assert allowed is case["satisfied"]


@pytest.mark.parametrize("case", CASES["constraint_validity"], ids=lambda c: c["constraint"])
def test_malformed_constraint_is_refused(case):
    assert _accepted(semver.constraint, case["constraint"]) is case["valid"]


@pytest.mark.parametrize("case", CASES["version_validity"], ids=lambda c: f"{c['version']!r} strict={c['strict']}")
def test_malformed_version_is_refused(case):
    assert _accepted(semver.version, case["version"], strict=case["strict"]) is case["valid"]


@pytest.mark.parametrize("case", CASES["flux_parse_version"], ids=lambda c: repr(c["version"]))
def test_tag_is_a_version_only_with_three_numbers(case):
    assert _accepted(semver.of_tag, case["version"]) is case["valid"]


@pytest.mark.parametrize("case", [case for case in CASES["compare"] if "compare" in case], ids=str)
def test_versions_are_ordered(case):
    a, b = semver.version(case["a"]), semver.version(case["b"])

    assert (a > b) - (a < b) == case["compare"]


@pytest.mark.parametrize("case", CASES["coerce"], ids=lambda c: c["version"])
def test_version_is_printed_whole(case):
    assert str(semver.version(case["version"])) == case["string"]


def test_newest_tag_wins_and_other_tags_are_left_out():
    tags = ["v1.2.0", "1.10.0", "v1.9.9", "latest", "v2.0.0", "v1.11.0-rc.1", "v1.12"]

    assert semver.constraint("1.x").newest(tags) == "1.10.0"
    assert semver.constraint(">=1.11.0-0 <2").newest(tags) == "v1.11.0-rc.1"
    assert semver.constraint(">=3").newest(tags) is None


@pytest.mark.timeout(5)
@pytest.mark.parametrize("text", ["1, " * 84 + "!", "1" + " " * 200 + "!", "1 - " * 60 + "!", "1         " * 25 + "!"])
def test_no_constraint_takes_long(text):
    with pytest.raises(semver.VersionError):
        semver.constraint(text)


@pytest.mark.parametrize("text", ["> =1", "1,,2", ",1", "1||", "", "1 2 !"])
def test_sloppy_constraint_is_refused(text):
    with pytest.raises(semver.VersionError):
        semver.constraint(text)


@given(st.text(alphabet="0123456789.x*v<>=!~^|, -+abz\n", max_size=40))
def test_any_text_is_a_constraint_or_one_clear_error(text):
    assert _accepted(semver.constraint, text) in {True, False}


def _accepted(read, *arguments, **options):
    try:
        read(*arguments, **options)
    except semver.VersionError:
        return False
    return True

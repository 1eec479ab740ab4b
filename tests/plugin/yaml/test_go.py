"""What Go's sigs.k8s.io/yaml makes of a text, recorded from Go itself."""

import json
from pathlib import Path
from typing import Any

import pytest

from gitopsd.plugin import yaml

CASES = json.loads((Path(__file__).parents[2] / "data" / "yaml" / "go.json").read_text())


def read_as_go(text: str) -> Any:
    """Read the first document only, the last of equal keys, and an empty text as an empty map, as Helm does."""
    documents = yaml.read_all(text, unique_keys=False)
    return documents[0].value if documents else {}


def typed(value: Any) -> Any:
    """Tell true from 1; whole floats and integers are one, as Go's were recorded after a way through JSON."""
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, list):
        return [typed(each) for each in value]
    return {key: typed(each) for key, each in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("case", CASES["scalars"], ids=lambda case: case["yaml"].strip())
def test_a_plain_scalar_is_what_go_makes_of_it(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(yaml.YamlError):
            read_as_go(case["yaml"])
        return

    found = read_as_go(case["yaml"])["v"]

    if case.get("lossy"):
        assert type(found) is int
        assert float(found) == float(case["value"])
    else:
        assert typed(found) == typed(case["value"])


@pytest.mark.parametrize("case", CASES["documents"], ids=lambda case: case["name"])
def test_a_document_is_what_go_makes_of_it(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(yaml.YamlError):
            read_as_go(case["yaml"])
    else:
        assert typed(read_as_go(case["yaml"])) == typed(case["value"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0b-11", -3),
        ("0o-7", "0o-7"),
        ("-0o17", -15),
        (".1_0", 0.1),
        ("._1", "._1"),
        (".5e400", ".5e400"),
        ("5e-400", 0.0),
        ("0x1ffffffffffffffffff", "0x1ffffffffffffffffff"),
        ("0777777777777777777777777", 7.777777777777778e23),
        ("+0xFFFFFFFFFFFFFFFF", "+0xFFFFFFFFFFFFFFFF"),
        ("0_", 0),
        ("0x1p4", "0x1p4"),
        ("\uff11", "\uff11"),
        ("99999999999999999999", 99999999999999999999),
        ("9" * 400, "9" * 400),
    ],
)
def test_odd_numbers_are_what_go_makes_of_them(text: str, value: object) -> None:
    found = yaml.read(f"v: {text}")["v"]

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("1e6", "1e+06"),
        ("1e21", "1e+21"),
        ("123456.7", "123456.7"),
        ("1234567.0", "1.234567e+06"),
        ("0.30000000000000004", "0.3"),
        ("0.00001", "1e-05"),
        ("0.0001", "0.0001"),
        ("-0.0", "-0"),
        ("1e300", ".inf"),
        ("-.inf", "-.inf"),
        (".nan", ".nan"),
        ("off", "false"),
        ("'off'", "off"),
        ("!!str off", "off"),
        ("0644", "420"),
    ],
)
def test_keys_become_the_texts_that_go_spells(key: str, text: str) -> None:
    assert yaml.read(f"{key}: x") == {text: "x"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!foo 1", "1"),
        ("! 12", "12"),
        ("! yes", "yes"),
        ("! ''", ""),
        ("{yes: 1, ! yes: 2}", {"true": 1, "yes": 2}),
        ("!!foo 1", "1"),
        ("!foo [1]", [1]),
        ("!!set {x}", {"x": None}),
        ("!!str", ""),
        ("!!str ~", "~"),
        ("!!float 12", 12.0),
        ("!!timestamp 2001-01-01", "2001-01-01"),
        ("!!merge <<", "<<"),
    ],
)
def test_explicit_tags_do_what_they_do_in_go(text: str, value: object) -> None:
    assert yaml.read(f"a: {text}") == {"a": value}


@pytest.mark.parametrize(
    "text", ["!!int x", "!!bool 1", "!!null x", "!!binary '#'", "!!binary gIGC", "!!timestamp x", "!!float .inf"]
)
def test_a_value_that_contradicts_its_tag_is_an_error_without_the_value(text: str) -> None:
    with pytest.raises(yaml.YamlError, match="line 2, column 4") as caught:
        yaml.read(f"b: 1\na: {text}\n")

    assert text.split()[1] not in str(caught.value).split(":", 1)[1].replace("!!", "").split(" ")

"""What is written reads back equal, and looks as kubectl and kustomize print it."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.plugin import yaml

WORDS = st.sampled_from(
    ["", "y", "No", "~", "null", "1", "0o17", "1e3", ".5", "-", "- a", "a: b", "a #b", "<<", "=", "---", "--- a", "...",
     "12:30", "2024-01-01", " a", "a ", "a:", "?", "'", '"', "\n", "a\n", "\na", "a\n\n", " a\nb", "\ta\nb", "a\n\tb",
     "a \nb", "a\r\nb", "\u2028", "x" * 200, "\ufeff", "#", "|", "&a", "*a", "!t", "%a", "@a", "`a", "[a]", "{a}"]
)  # fmt: skip
NEAR_YAML = st.text(alphabet="ab1 \n\t\r:#-?'\"[]{}&*!|>%@`,.~=<\\\u00e9\u2028\x85\x00\ufeff\U0001f600", max_size=12)
TEXTS = WORDS | NEAR_YAML | st.text(max_size=20)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)


def same(left: Any, right: Any) -> bool:
    """Compare with types: 1, 1.0 and True are three values, and maps have an order."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


@given(VALUES)
def test_what_is_written_reads_back_the_same(value: Any) -> None:
    assert same(yaml.read(yaml.write(value)), value)


@given(st.lists(VALUES, max_size=4))
def test_a_stream_reads_back_the_same(values: list[Any]) -> None:
    documents = yaml.read_all(yaml.write_all(values))

    assert same([document.value for document in documents], values)


@given(TEXTS)
def test_every_text_reads_back_the_same_wherever_it_stands(text: str) -> None:
    value = {text: text, "list": [text, [text, {text: [text]}], {"a": text, text: {"b": text}}], "end": text}

    assert same(yaml.read(yaml.write(value)), value)


def test_the_style_is_that_of_kustomize() -> None:
    value = {
        "a": [[1, [2]], {"b": [1, {"c": None}]}, [], {}],
        "script": "#!/bin/sh\n\n  echo 'hi'\n",
        "inner": [{"text": "x\ny", "m": 1}, "p\nq\n\n"],
    }

    assert yaml.write(value) == (
        "a:\n- - 1\n  - - 2\n- b:\n  - 1\n  - c: null\n- []\n- {}\n"
        "script: |\n  #!/bin/sh\n\n    echo 'hi'\n"
        "inner:\n- text: |-\n    x\n    y\n  m: 1\n- |+\n  p\n  q\n\n"
    )


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("nginx:1.25", "nginx:1.25"),
        ("http://a/b?c=d&e#f", "http://a/b?c=d&e#f"),
        ("a, b", "a, b"),
        ("-a", "-a"),
        ("10.0.0.1", "10.0.0.1"),
        ("1.2.3", "1.2.3"),
        ("100m", "100m"),
        ("é\u00a0ü", "é\u00a0ü"),
        ("", '""'),
        ("true", '"true"'),
        ("y", '"y"'),
        ("off", '"off"'),
        ("~", '"~"'),
        ("1", '"1"'),
        ("1_000", '"1_000"'),
        ("0o17", '"0o17"'),
        ("1e400", '"1e400"'),
        (".inf", '".inf"'),
        ("1:30", '"1:30"'),
        ("2024-01-01", '"2024-01-01"'),
        ("2024-01-01T00:00:00Z", '"2024-01-01T00:00:00Z"'),
        ("<<", '"<<"'),
        ("=", '"="'),
        ("- a", "'- a'"),
        ("-", "'-'"),
        ("a: b", "'a: b'"),
        ("a:", "'a:'"),
        ("a #b", "'a #b'"),
        ("'a", "'''a'"),
        ("@a", "'@a'"),
        ("*", "'*'"),
        (" a", "' a'"),
        ("---", "'---'"),
        ("a\tb", '"a\\tb"'),
        ("a \nb", '"a \\nb"'),
        ("a\r\nb", '"a\\r\\nb"'),
        ("\x07\x7f", '"\\a\\x7F"'),
        ("\ufeff", '"\\uFEFF"'),
        ("😀", '"\\U0001F600"'),
        (" a\nb", "|2-\n   a\n  b"),
        ("\na", "|2-\n\n  a"),
    ],
)
def test_a_text_is_quoted_only_where_it_must_be(text: str, spelled: str) -> None:
    assert yaml.write({"k": text}) == f"k: {spelled}\n"


def test_long_keys_take_the_explicit_form() -> None:
    key = "k" * 2_000

    text = yaml.write([{key: {"a": [1]}, "b": {key: "x"}}])

    assert text == f"- ? {key}\n  :\n    a:\n    - 1\n  b:\n    ? {key}\n    : x\n"
    assert yaml.read(text) == [{key: {"a": [1]}, "b": {key: "x"}}]


def test_keys_stay_in_order_or_are_sorted_at_every_level() -> None:
    value = {"b": 1, "a": [{"d": 1, "c": 2}]}

    assert yaml.write(value) == "b: 1\na:\n- d: 1\n  c: 2\n"
    assert yaml.write(value, sort_keys=True) == "a:\n- c: 2\n  d: 1\nb: 1\n"


def test_documents_are_joined_by_their_mark() -> None:
    assert yaml.write_all([{"a": 1}, "x", []]) == "a: 1\n---\nx\n---\n[]\n"
    assert yaml.write_all([]) == ""


def test_floats_stay_floats_and_tuples_are_lists() -> None:
    assert yaml.write({"a": 1.0, "b": 1e300, "c": (1, ())}) == "a: 1.0\nb: 1e+300\nc:\n- 1\n- []\n"


@pytest.mark.parametrize("value", [math.inf, math.nan, "\ud800", 2**1024])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"no place in JSON|half of a pair|range of a float"):
        yaml.write({"a": value})


@pytest.mark.parametrize("value", [{"a": {1, 2}}, [b"x"], {1: "a"}, {None: 1}, object()])
def test_other_types_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="of type"):
        yaml.write(value)


def test_behind_a_byte_order_mark_everything_is_an_escape():
    assert yaml.write({"a": "\ufeffb c\r\n\u00e9"}) == 'a: "\\uFEFF\\x62\\x20\\x63\\r\\n\\xE9"\n'
    assert yaml.write({"a": "b\ufeffc"}) == 'a: "b\\uFEFFc"\n'

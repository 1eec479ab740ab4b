"""Every form of every value is masked, at a cost that does not grow with their number."""

from __future__ import annotations

import base64
import json
import urllib.parse

import pytest

from gitopsd.model import masking
from gitopsd.model.masking import MASK, Secrets

VALUE = "c0rrect/horse+battery=stäple\n"


@pytest.mark.parametrize(
    "form",
    [
        VALUE.strip(),
        json.dumps(VALUE.strip())[1:-1],
        urllib.parse.quote(VALUE.strip()),
        urllib.parse.quote(VALUE.strip(), safe=""),
        urllib.parse.quote_plus(VALUE.strip()),
        base64.b64encode(VALUE.strip().encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(VALUE.strip().encode()).decode().rstrip("="),
    ],
)
def test_each_form_is_masked(form: str) -> None:
    assert Secrets([VALUE]).masked(f"before {form} after") == f"before {MASK} after"


def test_the_longest_of_several_that_begin_alike_is_taken() -> None:
    secrets = Secrets(["secret-one", "secret-one-and-more"])
    assert secrets.masked("a secret-one-and-more b secret-one c") == f"a {MASK} b {MASK} c"


def test_values_side_by_side_and_at_the_ends() -> None:
    assert Secrets(["abcdef", "ghijkl"]).masked("abcdefghijklx abcdef") == f"{MASK}{MASK}x {MASK}"


def test_short_values_and_other_texts_stay() -> None:
    secrets = Secrets(["admin", "", "abcdef"])
    assert secrets.masked("admin abcde") == "admin abcde"
    assert Secrets().masked("abcdef") == "abcdef"


def test_a_long_value_of_many_lines_is_masked_line_by_line() -> None:
    text = "\n".join(f"line number {n} of a private key" for n in range(3))
    assert Secrets([text]).masked("x line number 1 of a private key y") == f"x {MASK} y"


def test_half_a_surrogate_pair_is_taken() -> None:
    assert Secrets(["abc\ud800defgh"]).masked("x") == "x"


@pytest.mark.parametrize(
    "text",
    [
        'a: Invalid value: "abc": must be', "the key 'abc' is", "`abc`", r'{"a": \"abc\"}', "Invalid value: abc: must be", "value: abc",
        'data: "YWJj"',
    ],
)  # fmt: skip
def test_a_short_value_is_masked_where_it_stands_alone(text: str) -> None:
    shown = masking.quoted(["abc", "ab"])(text)
    assert shown == text.replace("YWJj", MASK).replace("abc", MASK)


@pytest.mark.parametrize("text", ["abc", "3 objects abc applied", '"abcd"', "'x-abc'", "value: abcd", "name=abc"])
def test_a_short_value_stays_where_it_may_be_any_word(text: str) -> None:
    assert masking.quoted(["abc", "3"])(text) == text


def test_what_is_said_of_an_object_is_masked_by_the_length_of_each_value() -> None:
    mask = masking.discreet(["long-enough", "pin", ""])
    assert mask('long-enough, pin and "pin", ""') == f'{MASK}, pin and "{MASK}", ""'

"""What kustomize's emitter does to long lines, folded texts and the order of keys, as its binary was seen to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.plugin import yaml
from gitopsd.plugin.yaml import folding


def read(text):
    return yaml.read(text, dialect=yaml.KUSTOMIZE)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (">-\n  one(c,\n    two\n  )", "one(c,\n\n  two\n)"),
        (">\n  one\n  more\n\n  two\n    deep\n\n    again\n  end\n", "one more\ntwo\n\n  deep\n\n  again\nend\n"),
        (">+\n  x\n   y\n\n", "x\n\n y\n\n"),
        (">\n  plain\n", "plain\n"),
    ],
)
def test_a_folded_block_is_written_and_read_once_more(block, expected):
    assert read(f"a: {block}") == {"a": expected}
    assert read(f"- {block}") == [expected]


def test_kubectl_takes_folded_blocks_as_they_are():
    assert yaml.read("a: >-\n  one(c,\n    two\n  )") == {"a": "one(c,\n  two\n)"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": "x" * 78 + " b c"}, "a: " + "x" * 78 + "\n  b c\n"),
        ({"a": "x" * 77 + " b c"}, "a: " + "x" * 77 + " b\n  c\n"),
        ({"a": ["x" * 79 + " b"]}, "a:\n- " + "x" * 79 + "\n  b\n"),
        ({"a": ["y: " + "x" * 79 + " b"]}, "a:\n- 'y: " + "x" * 79 + "\n  b'\n"),
        ({"a": "\t" + "x" * 78 + "  b"}, 'a: "\\t' + "x" * 78 + '\n  \\ b"\n'),
        ({"a": "x" * 90 + "  b"}, "a: " + "x" * 90 + "  b\n"),
    ],
)
def test_long_lines_break_at_the_first_blank_past_the_width(value, expected):
    assert yaml.print_all([value]) == expected


def test_keys_are_ordered_as_go_does_it():
    keys = ["a10", "a2", "a02", "ab", "aB", "a-b", "A", "_", "jwks_uri", "jwksUri", "LABEL", "LABEL_A", "LABEL2"]
    expected = ["_", "A", "LABEL", "LABEL_A", "LABEL2", "a-b", "a2", "a02", "a10", "aB", "ab", "jwks_uri", "jwksUri"]
    assert list(folding.sorted_keys(keys)) == expected


WORDS = st.lists(st.text(alphabet="ab1 :#'\"-\t\\", min_size=0, max_size=30), max_size=12).map(" ".join)


@given(st.dictionaries(st.text(alphabet="ab 1:'-", max_size=9), WORDS | st.lists(WORDS | st.lists(WORDS))))
def test_what_is_printed_reads_back_equal(value):
    assert read(yaml.print_all([value])) == value

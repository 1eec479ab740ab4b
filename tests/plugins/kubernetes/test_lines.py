"""A byte stream cut into lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopsd_plugins.kubernetes.lines import LineTooLong, Splitter


@given(st.lists(st.binary(min_size=1).filter(lambda line: b"\n" not in line and b"\r" not in line)), st.integers(1, 7))
def test_lines_do_not_depend_on_how_the_pieces_fall(lines: list[bytes], size: int) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    splitter = Splitter()
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert [line for piece in pieces for line in splitter.feed(piece)] == lines


def test_an_unfinished_line_is_kept_back() -> None:
    splitter = Splitter()
    assert list(splitter.feed(b'{"a"')) == []
    assert list(splitter.feed(b":1}\r\n\n")) == [b'{"a":1}']


def test_a_line_without_an_end_is_an_error() -> None:
    splitter = Splitter(longest=10)
    assert list(splitter.feed(b"12345\n1234567890")) == [b"12345"]
    with pytest.raises(LineTooLong):
        list(splitter.feed(b"1"))

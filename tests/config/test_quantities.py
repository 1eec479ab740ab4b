from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.config.quantities import Duration, Size


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("750ms", 0.75), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("1.5h", 5400)]
)
def test_durations_are_read_as_in_go(text, seconds):
    assert Duration.parse(text).total_seconds() == seconds


@given(st.integers(min_value=0, max_value=10**9))
def test_a_duration_is_written_as_it_is_read(milliseconds):
    duration = Duration(milliseconds=milliseconds)
    assert Duration.parse(str(duration)) == duration


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("1000", 1000), ("4Ki", 4096), ("512Mi", 1 << 29), ("2Gi", 1 << 31)]
)
def test_sizes_are_read_as_in_kubernetes(text, size):
    assert Size.parse(text) == size


@given(st.integers(min_value=0, max_value=1 << 45))
def test_a_size_is_written_as_it_is_read(size):
    assert Size.parse(str(Size(size))) == size


@pytest.mark.parametrize("text", ["", "5", "-1s", "1d", "1 m"])
def test_other_durations_are_refused(text):
    with pytest.raises(ValueError, match="is not a duration"):
        Duration.parse(text)


@pytest.mark.parametrize("text", ["", "-1", "1GB", "1.5Gi", "1 Gi"])
def test_other_sizes_are_refused(text):
    with pytest.raises(ValueError, match="is not a size"):
        Size.parse(text)

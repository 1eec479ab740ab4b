"""A store in a temporary folder, with a clock that stands still until a test moves it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitopsd.store import Store

START = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """Seconds since 1970, moved by hand."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> int:
        return int(self.time.timestamp())

    def pass_by(self, **units: float) -> datetime:
        self.time += timedelta(**units)
        return self.time


@pytest.fixture(scope="session")
def make_clock() -> type[Clock]:
    return Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def store(folder: Path, clock: Clock) -> Iterator[Store]:
    with Store.open(folder, now=clock) as opened:
        yield opened

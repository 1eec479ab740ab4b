"""What was lent is kept while it lasts: one request for many, none that ends in use, nothing kept of a failure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.plugin import Rejected, Transient
from gitopsd.plugin.kept import MARGIN, MAX_KEPT, Kept

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Lent:
    number: int
    until: datetime


class Lender:
    """Gives a new value at each request, good for some seconds."""

    def __init__(self, seconds: float = 3600.0) -> None:
        self.seconds = seconds
        self.now = START
        self.asked = 0

    async def __call__(self) -> Lent:
        self.asked += 1
        await anyio.lowlevel.checkpoint()
        return Lent(self.asked, self.now + timedelta(seconds=self.seconds))


@given(life=st.floats(min_value=1, max_value=1e6), steps=st.lists(st.floats(min_value=0, max_value=1e6), max_size=20))
def test_nothing_is_given_that_ends_within_the_margin_and_no_more_is_asked_for_than_that_takes(
    life: float, steps: list[float]
) -> None:
    margin = min(MARGIN, timedelta(seconds=life) / 5)

    async def run() -> None:
        kept, lender = Kept(), Lender(life)
        for step in steps:
            lender.now += timedelta(seconds=step)
            found = await kept.get("key", lender.now, lender)
            assert found.until - lender.now >= margin
        assert lender.asked <= 1 + (lender.now - START) / (timedelta(seconds=life) - margin)

    anyio.run(run)


@pytest.mark.asyncio
async def test_many_who_ask_at_once_are_one_request() -> None:
    kept, lender, found = Kept(), Lender(), []

    async def ask() -> None:
        found.append(await kept.get("key", START, lender))

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(ask)

    assert (lender.asked, len(set(found))) == (1, 1)


@pytest.mark.asyncio
async def test_failure_is_told_to_all_who_wait_and_is_not_kept() -> None:
    kept, lender, told = Kept(), Lender(), []
    failing = anyio.Event()

    async def fail() -> Lent:
        await failing.wait()
        raise Transient("away")

    async def ask() -> None:
        with pytest.raises(Transient, match="away"):
            await kept.get("key", START, fail)
        told.append(True)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(ask)
        await anyio.lowlevel.checkpoint()
        failing.set()

    assert told == [True] * 3
    assert (await kept.get("key", START, lender)).number == 1


@pytest.mark.asyncio
async def test_who_asks_for_patience_is_left_alone_by_all_who_would_ask_the_same() -> None:
    kept, lender, asked = Kept(), Lender(), []

    async def busy() -> Lent:
        asked.append(True)
        raise Transient("too many requests", retry_after=30)

    for second in (0, 10, 29.9):
        with pytest.raises(Transient, match="too many requests") as caught:
            await kept.get("key", START + timedelta(seconds=second), busy)
        assert caught.value.retry_after == pytest.approx(30 - second)
    assert len(asked) == 1

    assert (await kept.get("other", START, lender)).number == 1
    assert (await kept.get("key", START + timedelta(seconds=30), lender)).number == 2


@pytest.mark.asyncio
async def test_what_is_refused_in_use_is_forgotten_and_what_fails_otherwise_is_not() -> None:
    kept, lender = Kept(), Lender()
    first = await kept.get("key", START, lender)

    with pytest.raises(Transient), kept.minded(first):
        raise Transient("away")
    assert await kept.get("key", START, lender) is first

    with pytest.raises(Rejected), kept.minded(first):
        raise Rejected("no")
    assert await kept.get("key", START, lender) is not first


@pytest.mark.asyncio
async def test_what_was_used_longest_ago_makes_room() -> None:
    kept, lender = Kept(), Lender()
    first = await kept.get(0, START, lender)
    for number in range(1, MAX_KEPT):
        await kept.get(number, START, lender)
    assert await kept.get(0, START, lender) is first

    await kept.get(MAX_KEPT, START, lender)

    assert await kept.get(0, START, lender) is first
    assert (await kept.get(1, START, lender)).number == MAX_KEPT + 2

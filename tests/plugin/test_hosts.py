"""Hosts that fail, or ask to be left alone: one object tries, the others come back later, one after the other."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import anyio
import pytest

from gitopsd.model.errors import Rejected, Transient
from gitopsd.plugin import hosts
from gitopsd.plugin.flights import MAX_KEPT, Flights
from gitopsd.plugin.hosts import HostFailed, Hosts

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "Fri, 02 Jan 2026 03:05:05 GMT"}, 60.0),
        ({"Retry-After": "Fri, 02 Jan 2026 03:00:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "999999999"}, 3600.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW.timestamp()) + 90)}, 90.0),
        ({"X-RateLimit-Remaining": "12", "X-RateLimit-Reset": str(int(NOW.timestamp()) + 90)}, None),
        ({"X-RateLimit-Remaining": "0"}, None),
    ],
)
def test_headers_say_how_long_to_stay_away(headers, seconds):
    assert hosts.pause(headers, NOW) == seconds


class Upstream:
    """Forty objects' worth of a host that answers, fails, or asks for time; counts what it is asked."""

    def __init__(self) -> None:
        self.hosts = Hosts()
        self.asked: list[float] = []
        self.error: Exception | None = None
        self.hangs = 0.0

    async def ask(self) -> float | None:
        """None for an answer, else the seconds after which to come back."""
        try:
            async with self.hosts.turn("git.example.org"):
                self.asked.append(anyio.current_time())
                await anyio.sleep(self.hangs)
                if self.error:
                    raise self.error
        except Transient as error:
            return error.retry_after or 1.0
        return None

    async def follow(self, until: float) -> None:
        """What one object does: it comes back when it is told to, and after a minute where all is well."""
        while anyio.current_time() < until:  # noqa: ASYNC110 - in virtual time
            await anyio.sleep(await self.ask() or 60.0)

    async def for_forty(self, seconds: float) -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(40):
                tasks.start_soon(self.follow, anyio.current_time() + seconds)


@pytest.fixture
def upstream():
    return Upstream()


@pytest.mark.asyncio
@pytest.mark.looptime
@pytest.mark.parametrize(
    ("error", "hangs"),
    [(HostFailed("503"), 0.0), (HostFailed("no answer"), 48.0), (HostFailed("429", retry_after=30.0), 0.0)],
)
async def test_host_that_is_down_for_ten_minutes_is_hardly_asked(upstream, error, hangs):
    upstream.error, upstream.hangs = error, hangs

    await upstream.for_forty(600.0)

    assert len(upstream.asked) <= hosts.AT_ONCE + 20


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_host_that_comes_back_sees_no_rush(upstream):
    upstream.error, begun = HostFailed("503"), anyio.current_time()

    async def mended() -> None:
        await anyio.sleep(120.0)
        upstream.error = None

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(mended)
        tasks.start_soon(upstream.for_forty, 400.0)

    back = [at for at in upstream.asked if at > begun + 120.0]
    assert len(back) >= 40
    for begin in back:
        assert sum(begin <= at < begin + 5 for at in back) <= 5 + hosts.AT_ONCE


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_answer_may_ask_everybody_to_wait(upstream):
    await upstream.ask()
    upstream.hosts.heed("git.example.org", 20.0)

    assert await upstream.ask() > 20.0
    await anyio.sleep(20.5)

    assert await upstream.ask() is None
    assert len(upstream.asked) == 2


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_who_is_sent_away_by_several_failures_still_comes_back_one_after_the_other():
    known, told = Hosts(), []

    async def ask(number: int) -> None:
        await anyio.sleep(0 if number < hosts.AT_ONCE else 1 + number / 50)  # while those before fail, one by one
        try:
            async with known.turn("git.example.org"):
                await anyio.sleep(1 + number / 10)
                raise HostFailed("429", retry_after=60.0)
        except HostFailed:
            pass
        except Transient as error:
            told.append(anyio.current_time() + error.retry_after)

    async with anyio.create_task_group() as tasks:
        for number in range(40):
            tasks.start_soon(ask, number)

    told.sort()
    assert len(told) == 40 - hosts.AT_ONCE
    assert all(later - sooner > 0.9 for sooner, later in pairwise(told))


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_refusal_is_an_answer(upstream):
    upstream.error = Rejected("404")
    for _ in range(3):
        with pytest.raises(Rejected):
            await upstream.ask()

    assert len(upstream.asked) == 3


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_other_hosts_are_not_concerned(upstream):
    upstream.error = HostFailed("503")
    await upstream.ask()

    async with upstream.hosts.turn("other.example.org"):
        pass


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_few_requests_at_once(upstream):
    upstream.hangs = 10.0
    async with anyio.create_task_group() as tasks:
        for _ in range(40):
            tasks.start_soon(upstream.ask)
        await anyio.sleep(1)
        assert len(upstream.asked) == hosts.AT_ONCE


# One request for many


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_who_asks_the_same_at_once_gets_one_answer():
    flights, asked, answers = Flights[int](), [], []

    async def ask() -> int:
        asked.append(1)
        await anyio.sleep(1)
        return len(asked)

    async def one() -> None:
        answers.append(await flights.join("key", ask))

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(one)

    assert answers == [1] * 10
    assert await flights.join("key", ask) == 2


@pytest.mark.asyncio
async def test_who_was_on_the_way_when_the_answer_came_shares_it_and_who_comes_later_does_not():
    flights, asked = Flights[int](), []

    async def ask() -> int:
        asked.append(1)
        return len(asked)

    with flights.coming() as first, flights.coming() as slow:
        assert await first.join("key", ask) == 1
        with flights.coming() as late:
            assert await late.join("key", ask) == 2
        assert await slow.join("other", ask) == 3
        assert await slow.join("key", ask) == 2  # the newest that it could have waited for


@pytest.mark.asyncio
async def test_who_was_on_the_way_when_the_request_failed_hears_of_it():
    flights = Flights[int]()

    async def fail() -> int:
        raise HostFailed("no", retry_after=3.0)

    async def ask() -> int:
        raise AssertionError("asked again")

    with flights.coming() as first, flights.coming() as slow:
        with pytest.raises(HostFailed) as one:
            await first.join("key", fail)
        with pytest.raises(HostFailed) as other:
            await slow.join("key", ask)

    assert one.value is not other.value
    assert other.value.retry_after == 3.0


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_answer_that_never_changes_serves_for_a_while_and_not_without_bound():
    flights, asked = Flights[int](keep=60.0), []

    async def ask() -> int:
        asked.append(1)
        return len(asked)

    assert await flights.join("key", ask) == 1
    await anyio.sleep(59)
    assert await flights.join("key", ask) == 1
    await anyio.sleep(2)
    assert await flights.join("key", ask) == 2
    for number in range(MAX_KEPT + 1):
        await flights.join(number, ask)
    assert await flights.join("key", ask) == MAX_KEPT + 4


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_error_is_everybodys_own():
    flights, errors = Flights[int](), []

    async def ask() -> int:
        await anyio.sleep(1)
        raise HostFailed("no", reason="Why", retry_after=3.0)

    async def one() -> None:
        try:
            await flights.join("key", ask)
        except HostFailed as error:
            errors.append(error)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(one)

    assert len({id(error) for error in errors}) == 3
    assert {(str(error), error.reason, error.retry_after) for error in errors} == {("no", "Why", 3.0)}


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_when_the_one_who_asked_is_cancelled_another_asks():
    flights, asked = Flights[int](), []

    async def ask() -> int:
        asked.append(1)
        await anyio.sleep(1)
        return len(asked)

    async with anyio.create_task_group() as tasks:
        first = anyio.CancelScope()

        async def cancelled() -> None:
            with first:
                await flights.join("key", ask)

        tasks.start_soon(cancelled)
        await anyio.sleep(0.1)
        tasks.start_soon(flights.join, "key", ask)
        await anyio.sleep(0.1)
        first.cancel()

    assert len(asked) == 2

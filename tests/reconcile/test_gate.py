"""The health gate: ends with the verdicts, early on failure, late on time-out, at once when superseded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
import structlog
from fakes.things import AT, declared, id_of, live

from gitopsd.model.change import Live, Seen, Sight
from gitopsd.model.declared import HealthCheck
from gitopsd.model.errors import NotReady, Rejected
from gitopsd.model.health import Explanation, Health, Verdict
from gitopsd.model.outcome import Outcome
from gitopsd.reconcile import gate, health
from gitopsd.reconcile.conclude import Run
from gitopsd.reconcile.judge import Judge
from gitopsd.runtime.live.blind import Blind

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]
CHECKS = [HealthCheck(id=id_of(name), version="v1") for name in "ab"]


class Rule:
    group, kind = "", ""

    def assess(self, body: Mapping[str, Any]) -> Verdict:
        return Verdict(health=Health(body["health"]))


class Target:
    """Shows these events, one each second, and then is silent."""

    access = SimpleNamespace(cluster="test")

    def __init__(self, events: Sequence[tuple[str, str]], **explained: Explanation) -> None:
        self.events = events
        self.followed = 0
        self.explained = explained
        self.asked: list[tuple[str, float]] = []

    async def explain(self, it: Live) -> Explanation:
        self.asked.append((it.id.name, asyncio.get_running_loop().time()))
        return self.explained.get(it.id.name, Explanation())

    @asynccontextmanager
    async def follow(self, checks: Collection[HealthCheck]) -> AsyncIterator[Any]:
        self.followed += 1

        async def shown() -> AsyncIterator[Seen]:
            for name, state in self.events:
                await anyio.sleep(1)
                yield Seen(id=id_of(name), live=live(name, health=state) if state else None)
            await anyio.sleep_forever()

        yield shown()


class Mirror(Blind):
    """Holds everything, and shows these."""

    def __init__(self, **shown: str) -> None:
        self._shown = {
            id_of(name): Sight.of(live(name), Verdict(health=Health(state))) for name, state in shown.items()
        }

    def holds(self, cluster: str, kinds: object) -> bool:
        return True

    def sight(self, cluster: str, id: object) -> Sight | None:
        return self._shown.get(id)  # type: ignore[call-overload, no-any-return]


async def passed(
    target: Target,
    mirror: Blind | None = None,
    superseded: anyio.Event | None = None,
    checks: Collection[HealthCheck] = CHECKS,
) -> list[Outcome]:
    shown: list[Outcome] = []
    world: Any = SimpleNamespace(
        mirror=mirror or Blind(),
        progress=shown.append,
        ctx=SimpleNamespace(now=lambda: AT, log=structlog.get_logger()),
    )
    run = Run(declared=declared(), started=AT)
    checked: Any = target
    judge = Judge(rules={health.ANY: Rule()}, expressions={}, work=world)
    await gate.passed(checks, checked, world, run, judge=judge, timeout=60, superseded=superseded or anyio.Event())
    return shown


async def test_it_ends_when_everything_is_healthy() -> None:
    target = Target([("a", "InProgress"), ("b", "Current"), ("a", "Current")])
    assert [outcome.phase for outcome in await passed(target)] == ["progressing"]
    assert asyncio.get_running_loop().time() == 3


async def test_what_watches_show_healthy_needs_no_request() -> None:
    target = Target([])
    assert await passed(target, Mirror(a="Current", b="Current")) == []
    assert target.followed == 0


async def test_it_ends_early_with_the_first_that_failed() -> None:
    with pytest.raises(
        Rejected, match=r"failed early due to stalled resources: \[ConfigMap/default/a status: 'Failed'\]"
    ):
        await passed(Target([("b", "InProgress"), ("a", "Failed")]))
    assert asyncio.get_running_loop().time() == 2


async def test_when_time_is_up_those_that_are_late_are_named() -> None:
    with pytest.raises(Rejected) as caught:
        await passed(Target([("a", "Current"), ("b", "")]))
    assert str(caught.value) == "timeout waiting for: [ConfigMap/default/b status: 'NotFound' (it does not exist)]"
    assert caught.value.reason == "HealthCheckFailed"
    assert asyncio.get_running_loop().time() == 60


async def test_what_ends_by_itself_may_be_gone() -> None:
    ending = [CHECKS[0], replace(CHECKS[1], ends=True)]
    await passed(Target([("b", "InProgress"), ("b", ""), ("a", "Current")]), checks=ending)
    assert asyncio.get_running_loop().time() == 3


async def test_something_newer_ends_it_at_once() -> None:
    newer = anyio.Event()
    newer.set()
    with pytest.raises(NotReady) as caught:
        await passed(Target([("a", "InProgress")]), superseded=newer)
    assert caught.value.reason == "HealthCheckCanceled"
    assert asyncio.get_running_loop().time() == 0


async def test_what_stays_unhealthy_is_looked_at_more_closely_and_said_while_it_waits() -> None:
    target = Target([("a", "Current"), ("b", "InProgress")], b=Explanation(message="Pod/b: no image"))
    with pytest.raises(
        Rejected, match=r"timeout waiting for: \[ConfigMap/default/b status: 'InProgress' \(Pod/b: no image\)\]"
    ):
        await passed(target)
    assert target.asked[0] == ("b", 10)


async def test_what_has_failed_when_looked_at_closely_ends_the_wait() -> None:
    target = Target([("a", "Current"), ("b", "InProgress")], b=Explanation(message="Pod/b: crashes", failed=True))
    with pytest.raises(Rejected, match=r"failed early .*ConfigMap/default/b status: 'Failed' \(Pod/b: crashes\)"):
        await passed(target)
    assert asyncio.get_running_loop().time() == 10


async def test_a_look_that_fails_is_no_reason_to_fail() -> None:
    class Closed(Target):
        async def explain(self, it: Live) -> Explanation:
            raise Rejected("403")

    with pytest.raises(Rejected, match="timeout waiting for"):
        await passed(Closed([("a", "InProgress")]))

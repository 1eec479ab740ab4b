"""The lease: who holds it, who gets it, and what happens when it is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
import pytest_asyncio

from gitopsd.plugin import Access, Actor, Context, HeldElsewhere, Transient
from gitopsd.plugin.conformance.scene import SOON, actor, eventually
from gitopsd_plugins.kubernetes.client import Client
from gitopsd_plugins.kubernetes.lease import Lease
from gitopsd_plugins.sandbox.faults import Fault
from gitopsd_plugins.sandbox.server import Running

pytestmark = pytest.mark.asyncio

QUICK = 0.3
"""Seconds; short enough for a test to live through a whole lease."""


@pytest_asyncio.fixture
async def client(access: Access, ctx: Context) -> AsyncIterator[Client]:
    async with Client(access, actor(), ctx) as opened:
        yield opened


@pytest.fixture
def who() -> Actor:
    return actor()


def _path(who: Actor) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{who.namespace}/leases/actor.{who.instance}"


async def _stolen(client: Client, who: Actor) -> None:
    body: dict[str, Any] = dict((await client.get(_path(who))).body)
    body["spec"] = {**body["spec"], "holderIdentity": "thief"}
    assert (await client.send("PUT", _path(who), body=body)).ok


async def _end_of_time() -> None:
    with anyio.fail_after(SOON):
        await anyio.sleep_forever()


async def test_it_is_renewed_while_it_is_held(client: Client, who: Actor, ctx: Context) -> None:
    async with Lease(client=client, actor=who, ctx=ctx, duration=QUICK).held():
        first = (await client.get(_path(who))).body["metadata"]["resourceVersion"]

        async def is_renewed() -> bool:
            return bool((await client.get(_path(who))).body["metadata"]["resourceVersion"] != first)

        await eventually(is_renewed)


async def test_a_lost_lease_ends_the_work(client: Client, who: Actor, ctx: Context) -> None:
    async def work() -> None:
        async with Lease(client=client, actor=who, ctx=ctx, duration=QUICK).held():
            await _stolen(client, who)
            await _end_of_time()

    with pytest.raises(HeldElsewhere, match="thief"):
        await work()


async def test_a_server_that_stays_away_ends_the_work(
    cluster: Running, client: Client, who: Actor, ctx: Context
) -> None:
    async def work() -> None:
        async with Lease(client=client, actor=who, ctx=ctx, duration=QUICK).held():
            cluster.faults.add(Fault(path=_path(who), status=500, times=-1))
            await _end_of_time()

    with pytest.raises(Transient, match="could not be renewed"):
        await work()


async def test_a_short_failure_is_borne(cluster: Running, client: Client, who: Actor, ctx: Context) -> None:
    async with Lease(client=client, actor=who, ctx=ctx, duration=QUICK).held():
        cluster.faults.add(Fault(path=_path(who), status=500, times=1))
        before = len(cluster.journal.requests("PUT", _path(who)))

        async def is_renewed() -> bool:
            return len(cluster.journal.requests("PUT", _path(who))) > before

        await eventually(is_renewed)


async def test_a_released_lease_is_free_at_once(client: Client, who: Actor, ctx: Context) -> None:
    async with Lease(client=client, actor=who, ctx=ctx).held():
        pass
    async with Lease(client=client, actor=replace(who, holder="other"), ctx=ctx).held():
        held = (await client.get(_path(who))).body["spec"]
        assert (held["holderIdentity"], held["leaseTransitions"]) == ("other", 1)


async def test_an_expired_lease_of_a_dead_holder_is_taken(client: Client, who: Actor, ctx: Context) -> None:
    async with Lease(client=client, actor=who, ctx=ctx).held():
        await _stolen(client, who)  # the thief dies at once: nobody renews
        later = replace(ctx, now=lambda: datetime.now(UTC) + timedelta(minutes=5))
        async with Lease(client=client, actor=replace(who, holder="heir"), ctx=later, duration=QUICK).held():
            assert (await client.get(_path(who))).body["spec"]["holderIdentity"] == "heir"


async def test_a_dead_holder_whose_clock_was_ahead_is_followed_all_the_same(
    client: Client, who: Actor, ctx: Context
) -> None:
    ahead = replace(ctx, now=lambda: datetime.now(UTC) + timedelta(hours=1))
    async with Lease(client=client, actor=who, ctx=ahead, duration=QUICK).held():
        await _stolen(client, who)  # the thief dies at once, and its last word is an hour ahead
    async with Lease(client=client, actor=replace(who, holder="heir"), ctx=ctx, duration=QUICK).held():
        assert (await client.get(_path(who))).body["spec"]["holderIdentity"] == "heir"


async def test_a_living_holder_whose_clock_is_ahead_is_respected(client: Client, who: Actor, ctx: Context) -> None:
    ahead = replace(ctx, now=lambda: datetime.now(UTC) + timedelta(hours=1))
    async with Lease(client=client, actor=who, ctx=ahead, duration=QUICK).held():
        with pytest.raises(HeldElsewhere, match=who.holder):
            async with Lease(client=client, actor=replace(who, holder="other"), ctx=ctx, duration=3 * QUICK).held():
                pytest.fail("two holders at once")


async def test_a_living_holder_whose_clock_is_behind_is_respected(client: Client, who: Actor, ctx: Context) -> None:
    behind = replace(ctx, now=lambda: datetime.now(UTC) - timedelta(hours=1))
    async with Lease(client=client, actor=who, ctx=behind, duration=QUICK).held():
        with pytest.raises(HeldElsewhere, match=who.holder):
            async with Lease(client=client, actor=replace(who, holder="other"), ctx=ctx, duration=3 * QUICK).held():
                pytest.fail("two holders at once")


async def test_a_read_only_actor_takes_no_lease(cluster: Running, client: Client, who: Actor, ctx: Context) -> None:
    async with Lease(client=client, actor=replace(who, read_only=True), ctx=ctx).held():
        assert cluster.journal.requests() == []

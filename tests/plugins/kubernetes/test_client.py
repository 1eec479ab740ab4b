"""Requests: patience with a busy server, clear words when it is away, and no write that must not be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import anyio
import pytest

from gitopsd.plugin import Access, Context, Rejected, Transient
from gitopsd.plugin.conformance.scene import actor
from gitopsd_plugins.kubernetes.client import Client
from gitopsd_plugins.sandbox.faults import Fault
from gitopsd_plugins.sandbox.server import Running

pytestmark = pytest.mark.asyncio

VERSION = "/version"
MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def client(access: Access, ctx: Context) -> Client:
    return Client(access, actor(), ctx)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_server_is_asked_again_when_it_says(cluster: Running, client: Client, status: int) -> None:
    cluster.faults.add(Fault(path=VERSION, status=status, retry_after=0, times=2))
    async with client:
        assert (await client.get(VERSION)).status == 200
    assert len(cluster.journal.requests("GET", VERSION)) == 3


async def test_a_server_that_stays_busy_is_told_in_the_end(cluster: Running, client: Client) -> None:
    cluster.faults.add(Fault(path=VERSION, status=429, retry_after=0, times=-1))
    async with client:
        assert (await client.get(VERSION)).status == 429
    assert len(cluster.journal.requests("GET", VERSION)) == 6


async def test_a_long_wait_is_left_to_the_scheduler(cluster: Running, client: Client) -> None:
    cluster.faults.add(Fault(path=VERSION, status=429, retry_after=120))
    async with client:
        reply = await client.get(VERSION)
    assert (reply.status, reply.retry_after) == (429, 120.0)
    assert len(cluster.journal.requests("GET", VERSION)) == 1


async def test_a_dropped_connection_is_tried_again(cluster: Running, client: Client) -> None:
    cluster.faults.add(Fault(effect="drop", path=VERSION, times=2))
    async with client:
        assert (await client.get(VERSION)).status == 200


async def test_a_creation_is_not_repeated_when_nobody_knows_whether_it_was_made(
    cluster: Running, client: Client
) -> None:
    cluster.faults.add(Fault(effect="drop", method="POST", path=MAPS))
    async with client:
        with pytest.raises(Transient, match="cannot be reached"):
            await client.send("POST", MAPS, body={"metadata": {"name": "a"}})
    assert len(cluster.journal.requests("POST", MAPS)) == 1


async def test_a_server_that_is_away_is_named(ctx: Context) -> None:
    access = Access(cluster="prod", server="http://127.0.0.1:9")
    async with Client(access, actor(), ctx) as client:
        with pytest.raises(Transient, match=r"cluster prod: http://127.0.0.1:9 cannot be reached"):
            await client.get(VERSION)


async def test_refused_credentials_are_renewed_once(cluster: Running, access: Access, ctx: Context) -> None:
    tokens = ["old", cluster.token]

    async def headers() -> Mapping[str, str]:
        return {"Authorization": f"Bearer {tokens[0]}"}

    renewing = replace(access, headers=headers, expire=tokens.reverse)
    async with Client(renewing, actor(), ctx) as client:
        assert (await client.get("/api/v1/namespaces/default")).ok


async def test_refused_credentials_are_told_with_the_remedy(cluster: Running, access: Access, ctx: Context) -> None:
    async def headers() -> Mapping[str, str]:
        return {"Authorization": "Bearer wrong-secret"}

    async with Client(replace(access, headers=headers), actor(), ctx) as client:
        with pytest.raises(Rejected, match="does not accept the credentials") as raised:
            await client.get("/api/v1/namespaces/default")
    assert raised.value.reason == "Unauthorized"
    assert "wrong-secret" not in str(raised.value)
    assert len(cluster.journal.requests()) == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_read_only_actor_sends_no_write(cluster: Running, access: Access, ctx: Context, method: str) -> None:
    async with Client(access, actor(read_only=True), ctx) as client:
        with pytest.raises(Rejected, match="was not sent: gitopsd runs read-only"):
            await client.send(method, MAPS, body={})
    assert cluster.journal.requests() == []


async def test_no_more_requests_are_in_flight_than_allowed(cluster: Running, access: Access, ctx: Context) -> None:
    cluster.faults.add(Fault(effect="hang", path=VERSION, times=-1))
    async with Client(access, actor(concurrency=3), ctx) as client, anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(client.get, VERSION)
        with anyio.fail_after(10):
            while len(cluster.journal.requests("GET", VERSION)) < 3:
                await anyio.lowlevel.checkpoint()
        for _ in range(100):
            await anyio.lowlevel.checkpoint()
        assert len(cluster.journal.requests("GET", VERSION)) == 3
        tasks.cancel_scope.cancel()

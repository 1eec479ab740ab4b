"""Connections end with the client that made them, whatever it was in the middle of."""

from __future__ import annotations

import gc
import socket
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import anyio
import pytest

from gitopsd.plugin import Access, Context, Tls, Transient
from gitopsd.plugin.conformance.scene import actor
from gitopsd_plugins.kubernetes.client import Client
from gitopsd_plugins.sandbox import server
from gitopsd_plugins.sandbox.faults import Fault

pytestmark = pytest.mark.asyncio

PATH = "/version"


async def asked(client: Client) -> None:
    await client.get(PATH)


async def watched(client: Client) -> None:
    async with client.stream(PATH, {}, silence=60):
        pass


@pytest.mark.parametrize("ask", [asked, watched])
async def test_a_request_that_is_cancelled_over_tls_leaves_no_connection(
    ctx: Context, ask: Callable[[Client], Awaitable[None]]
) -> None:
    async with server.serve(tls=True) as running:
        access = Access(cluster="a", server=running.url, tls=Tls(ca=running.authority.encode()))
        running.faults.add(Fault(effect="hang", path=PATH, times=-1))
        async with Client(access, actor(), ctx) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(ask, client)
            with anyio.fail_after(10):
                while not running.journal.requests("GET", PATH):
                    await anyio.lowlevel.checkpoint()
            assert open_to(running.url)
            tasks.cancel_scope.cancel()
        assert open_to(running.url) == []


async def test_a_watch_that_waits_for_its_token_while_the_client_closes_is_not_opened(ctx: Context) -> None:
    asked, given = anyio.Event(), anyio.Event()
    ended: list[Transient] = []

    async def headers() -> dict[str, str]:
        asked.set()
        await given.wait()
        return {}

    async def watch(client: Client) -> None:
        with pytest.raises(Transient, match="was given up") as raised:
            await watched(client)
        ended.append(raised.value)

    async with anyio.create_task_group() as tasks:
        async with Client(Access(cluster="a", server="http://127.0.0.1:9", headers=headers), actor(), ctx) as client:
            tasks.start_soon(watch, client)
            await asked.wait()
        given.set()
    assert ended


def open_to(url: str) -> list[socket.socket]:
    """The sockets of this process that are connected there and not closed."""
    port = urlsplit(url).port
    sockets = [it for it in gc.get_objects() if isinstance(it, socket.socket) and it.fileno() != -1]
    return [it for it in sockets if _peer(it) == port]


def _peer(it: socket.socket) -> int | None:
    try:
        peer = it.getpeername()
    except OSError:
        return None  # a listening one
    return peer[1] if isinstance(peer, tuple) and len(peer) > 1 else None

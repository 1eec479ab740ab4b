"""A pool whose connections end with it, those too that were given up in the middle of a request.

aiohttp forgets a connection that it closes. Over TLS a close is a goodbye that waits half a minute for the other side's, so
that one whose request was cancelled could outlive its session, and the loop. Imported only where a session is made.
"""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakSet

import anyio
from aiohttp import ClientRequest, ClientTimeout, TCPConnector
from aiohttp.connector import Connection
from aiohttp.tracing import Trace


class Pool(TCPConnector):
    """The library's connector; what it opened is closed when it is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._opened: WeakSet[asyncio.BaseTransport] = WeakSet()

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout) -> Connection:
        """As the library does."""
        connection = await super().connect(req, traces, timeout)
        if connection.transport is not None:
            self._opened.add(connection.transport)
        return connection

    async def close(self, *, abort_ssl: bool = True) -> None:
        """Close what is idle, in use, or still saying goodbye."""
        await super().close(abort_ssl=abort_ssl)
        for transport in [it for it in self._opened if isinstance(it, asyncio.WriteTransport)]:
            transport.abort()
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()  # transports close their sockets in the next turn of the loop

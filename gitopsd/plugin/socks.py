"""SOCKS proxies for aiohttp: the library's connector with errors that every plugin expects, and within the bounds.

Imported only where such a proxy is used.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from typing import Any

import anyio.to_thread
from aiohttp.client_proto import ResponseHandler
from aiohttp_socks import ProxyConnector
from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError

from gitopsd.plugin import egress
from gitopsd.plugin.connections import Pool
from gitopsd.plugin.egress import Egress


class Connector(Pool, ProxyConnector):
    """Raises OSError where the proxy fails. `bounds` is for the proxy's own address."""

    bounds = Egress()

    async def _connect_via_proxy(
        self, host: str, port: int, ssl: ssl.SSLContext | None = None, timeout: float | None = None
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        if not self.bounds.private:
            await anyio.to_thread.run_sync(egress.check_host, self._proxy_host, self.bounds)
        try:
            return await super()._connect_via_proxy(host, port, ssl, timeout)
        except ProxyTimeoutError as error:
            raise TimeoutError("the proxy did not answer in time") from error
        except (ProxyConnectionError, ProxyError, asyncio.IncompleteReadError) as error:
            # with a number, so that aiohttp keeps the text where others look for it
            raise ConnectionError(errno.ECONNABORTED, f"the proxy did not connect: {error}") from error


def connector(proxy: str, bounds: Egress, **options: Any) -> Connector:
    """A connector through this proxy, which looks up names itself."""
    made = Connector.from_url(egress.socks(proxy), rdns=True, **options)
    assert isinstance(made, Connector)  # the library makes what it is called on
    made.bounds = bounds
    return made

"""Connections of a worker process: within the bounds of the settings, and through the proxy on the way.

urllib3 opens its sockets in one method of its connection classes; here it does so by `gitopsd.plugin.egress`.
"""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from gitopsd.plugin import egress, http
from gitopsd.plugin.egress import Egress
from gitopsd.plugin.sources import access
from gitopsd_plugins.git.order import Remote


def pool(remote: Remote, **options: Any) -> urllib3.PoolManager:
    """The pool for one repository's server. A SOCKS proxy is a matter of each socket, another of the requests."""
    proxy = remote.proxy
    socks = proxy if http.is_socks(proxy) else ""
    if proxy and not socks:
        made: urllib3.PoolManager = urllib3.ProxyManager(proxy, proxy_headers=_login(proxy), **options)
    else:
        made = urllib3.PoolManager(**options)
    made.pool_classes_by_scheme = _classes(remote, socks)
    return made


def _login(proxy: str) -> dict[str, str]:
    parts = urlsplit(proxy)
    if not parts.username:
        return {}
    return {"Proxy-Authorization": access.basic(unquote(parts.username), unquote(parts.password or ""))}


def connect(remote: Remote, port: int) -> socket.socket:
    """A connected socket to the repository's host, for what is not http. Raises OSError."""
    proxy = remote.proxy
    if proxy and not remote.own_proxies:
        _check_proxy(remote)
    bounds, trust = remote.egress, remote.ca_file
    return egress.connect(remote.address.host, port, timeout=remote.timeout, egress=bounds, proxy=proxy, ca_file=trust)


def _check_proxy(remote: Remote) -> None:
    for host in egress.hosts(remote.proxy):
        egress.check_host(host, remote.egress)


def _classes(remote: Remote, socks: str) -> dict[str, type[HTTPConnectionPool]]:
    exempt = frozenset(egress.hosts(remote.proxy)) if remote.own_proxies else frozenset()

    def opened(connection: HTTPConnection) -> socket.socket:
        host, port = connection.host, connection.port
        bounds = Egress() if host in exempt else remote.egress
        if socks and not remote.own_proxies:
            _check_proxy(remote)
        try:
            return egress.connect(host, port or 443, timeout=remote.timeout, egress=bounds, proxy=socks)
        except TimeoutError as error:
            raise ConnectTimeoutError(connection, f"no connection to {host} within {remote.timeout:g} s") from error
        except OSError as error:
            raise NewConnectionError(connection, str(error)) from error

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return opened(self)

    class Encrypted(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return opened(self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}

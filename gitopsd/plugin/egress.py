"""Where connections may lead: which addresses are out of bounds, and sockets that keep to it.

A name is checked after it was resolved, by the very address that is connected to, so that no answer of a name server and no
redirect leads around it. A proxy resolves names itself: there only what stands in the URL can be checked.
"""

from __future__ import annotations

import base64
import errno
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver
    from aiohttp.connector import AddrInfoType

_MAX_ANSWER = 16_384
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_AWS = ipaddress.IPv6Network("fd00:ec2::/32")
_METADATA = {"metadata", "metadata.google.internal", "instance-data"}
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ForbiddenAddress(OSError):  # noqa: N818 - named by what it is, as every error here
    """An address that the settings do not allow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """Whether private, link-local, loopback and other not public addresses may be connected to, and which may all the same."""

    private: bool = True
    allowed: tuple[str, ...] = ()
    """Networks in CIDR form."""

    def check_url(self, url: str) -> None:
        """Raise `ForbiddenAddress` where a URL itself names an address out of bounds: behind a proxy nothing else is known."""
        for host in hosts(url):
            self.check(host)

    def check(self, address: str) -> None:
        """Raise `ForbiddenAddress` for an address out of bounds; a name is none."""
        if self.private:
            return
        try:
            found = ipaddress.ip_address(address.strip("[]").partition("%")[0])
        except ValueError:
            return
        inner = _embedded(found)
        if _public(found) and _public(inner):
            return
        if any(
            one in ipaddress.ip_network(network, strict=False) for network in self.allowed for one in (found, inner)
        ):
            return
        raise ForbiddenAddress(
            f"{address} is no public address, and the setting network.privateAddresses forbids others"
        )


def _public(address: _Address) -> bool:
    return address.is_global and not address.is_multicast


def _embedded(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 one leads to, in any of the ways to write it."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


def of_the_link(host: str) -> bool:
    """True for link-local addresses and the names that clouds give theirs: there machines find their own credentials."""
    if host.rstrip(".").lower() in _METADATA:
        return True
    try:
        found = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return _embedded(found).is_link_local or found in _AWS


def why(error: BaseException | None) -> str:
    """The words of the `ForbiddenAddress` behind an error of a library; '' where there is none."""
    return next((str(at) for at in causes(error) if isinstance(at, ForbiddenAddress)), "")


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and all that lead to it, each once."""
    seen: set[int] = set()
    todo = [error]
    while todo:
        at = todo.pop()
        if at is None or id(at) in seen:
            continue
        yield at
        seen.add(id(at))
        todo += [at.__cause__, at.__context__, *(arg for arg in at.args if isinstance(arg, BaseException))]


def check_host(host: str, bounds: Egress) -> None:
    """Raise `ForbiddenAddress` where one of the host's addresses is out of bounds, OSError for an unknown name; blocks."""
    for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
        bounds.check(str(found[4][0]))


def pinned(url: str, bounds: Egress) -> str:
    """The URL with its host's address in the place of the name, checked. Raises `ForbiddenAddress` and OSError; blocks."""
    parts = urlsplit(url)
    address = parts.hostname or ""
    for found in reversed(socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)):
        address = str(found[4][0])
        bounds.check(address)
    login, at, _ = parts.netloc.rpartition("@")
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=f"{login}{at}{f'[{address}]' if ':' in address else address}{port}").geturl()


def connect(
    host: str, port: int, *, timeout: float, egress: Egress, proxy: str = "", ca_file: str = ""
) -> socket.socket:
    """A connected socket, through the proxy (http://, https:// or socks5://) where one is given. Raises OSError; blocks.

    `ca_file` are certificates that an https:// proxy is trusted by beside those of the system.
    """
    egress.check(host)
    if proxy:
        return _through(proxy, host, port, timeout, ca_file)
    failed = OSError(errno.EADDRNOTAVAIL, f"the name {host} has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        egress.check(str(address[0]))
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(timeout)
            connection.connect(address)
        except OSError as error:
            connection.close()
            failed = error
            continue
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    raise failed


def _through(proxy: str, host: str, port: int, timeout: float, ca_file: str) -> socket.socket:
    if not proxy.startswith("socks5"):
        return _tunnelled(proxy, host, port, timeout, ca_file)
    from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError
    from python_socks.sync import Proxy

    try:
        return Proxy.from_url(socks(proxy)).connect(host, port, timeout=timeout)
    except ProxyTimeoutError as error:
        raise TimeoutError("the proxy did not answer in time") from error
    except (ProxyConnectionError, ProxyError) as error:
        raise ConnectionError(errno.ECONNABORTED, f"the proxy did not connect: {error}") from error


def to_proxy(proxy: str, timeout: float, ca_file: str = "") -> socket.socket:
    """A connection to the http:// or https:// proxy itself. Raises OSError; blocks."""
    parts = urlsplit(proxy)
    if parts.scheme not in {"http", "https"}:
        raise ConnectionError(
            errno.ECONNABORTED, f"a proxy of the form {parts.scheme}:// is not known; name an http:// or socks5:// one"
        )
    encrypted = parts.scheme == "https"
    connection = socket.create_connection((parts.hostname or "", parts.port or (443 if encrypted else 80)), timeout)
    if not encrypted:
        return connection
    try:
        trust = ssl.create_default_context()
        if ca_file:
            trust.load_verify_locations(ca_file)
        return trust.wrap_socket(connection, server_hostname=parts.hostname)
    except OSError:
        connection.close()
        raise


def _tunnelled(proxy: str, host: str, port: int, timeout: float, ca_file: str) -> socket.socket:
    """By CONNECT, its answer read to its end and no further: what follows is the other side's, which may speak first."""
    login = f"Proxy-Authorization: {found}\r\n" if (found := proxy_login(proxy)) else ""
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    connection = to_proxy(proxy, timeout, ca_file)
    try:
        connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{login}\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n") and len(answer) < _MAX_ANSWER and (byte := connection.recv(1)):
            answer += byte
        status = answer.split(b" ", 2)[1:2]
        if status != [b"200"]:
            raise ConnectionError(
                errno.ECONNABORTED,
                f"the proxy did not connect: it answered {b''.join(status).decode('ascii', 'replace')[:3]}",
            )
    except OSError:
        connection.close()
        raise
    return connection


def proxy_login(proxy: str) -> str:
    """The value of `Proxy-Authorization` for a proxy by its URL; '' where that holds no login."""
    parts = urlsplit(proxy)
    if not parts.username:
        return ""
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return f"Basic {base64.b64encode(pair).decode('ascii')}"


def socks(proxy: str) -> str:
    """A proxy's address as the library takes it: names are always resolved by the proxy."""
    return proxy.replace("socks5h://", "socks5://", 1)


class Guard:
    """The same for aiohttp: what its connector needs to keep to an `Egress`. `proxies` are hosts that the operator named."""

    def __init__(self, egress: Egress, proxies: frozenset[str]) -> None:
        self._egress = egress
        self._proxies = proxies
        self._exempt: set[str] = set(proxies)

    def socket(self, found: AddrInfoType) -> socket.socket:
        """A socket for one address. Raises `ForbiddenAddress`."""
        family, kind, protocol, _, address = found
        if str(address[0]) not in self._exempt:
            self._egress.check(str(address[0]))
        return socket.socket(family, kind, protocol)

    def resolver(self) -> AbstractResolver:
        """Resolves as usual, and remembers which addresses are the operator's own proxies."""
        from aiohttp.resolver import ThreadedResolver

        guard = self

        class Resolver(ThreadedResolver):
            async def resolve(self, host: str, *arguments: Any, **options: Any) -> Any:
                found = await super().resolve(host, *arguments, **options)
                if host in guard._proxies:
                    guard._exempt.update(answer["host"] for answer in found)
                return found

        return Resolver()


def hosts(*urls: str) -> Iterator[str]:
    """The hosts of these URLs, '' left out."""
    return (host for host in (urlsplit(url).hostname for url in urls if url) if host)

"""A way out for libraries that connect by themselves: a proxy on loopback, for this process alone, that keeps to an `Egress`.

Such a library looks up names on its own, so that a check beforehand is about another answer of the name server. Behind the
gate it reaches only what the gate connected to: the very address that was checked. TLS goes through untouched. It also speaks
to proxies that the library does not know (SOCKS).
"""

from __future__ import annotations

import hmac
import secrets
import selectors
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from socketserver import BaseRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit

from gitopsd.plugin import egress
from gitopsd.plugin.egress import Egress

MAX_HEAD = 64 << 10
_PIECE = 256 << 10
_NAME = "gitopsd"
_REFUSED = b"HTTP/1.1 %d Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_FORBIDDEN, _LOGIN, _UNREACHABLE = 403, 407, 502


@dataclass(slots=True, kw_only=True)
class Gate:
    """An open one. `url` is the proxy's address with the login that it wants; `problem` is what it met last."""

    bounds: Egress
    proxy: str
    timeout: float
    url: str = field(default="", repr=False)
    token: str = field(default_factory=secrets.token_urlsafe, repr=False)
    problem: OSError | None = None

    @property
    def login(self) -> bytes:
        """The value of `Proxy-Authorization`."""
        return b"Basic " + b64encode(f"{_NAME}:{self.token}".encode())

    def connect(self, host: str, port: int) -> socket.socket:
        """A connection to what may be connected to. Raises OSError, which is noted."""
        try:
            return egress.connect(host, port, timeout=self.timeout, egress=self.bounds, proxy=self.proxy)
        except OSError as error:
            self.problem = error
            raise


@contextmanager
def opened(bounds: Egress, *, timeout: float, proxy: str = "") -> Iterator[Gate]:
    """A gate for as long as the context lasts; `proxy` is the one that it goes through itself."""
    gate = Gate(bounds=bounds, proxy=proxy, timeout=timeout)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.gate = gate
    gate.url = f"http://{_NAME}:{gate.token}@127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield gate
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    gate: Gate


class _Handler(BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        with suppress(OSError, ValueError):  # whoever went away, or speaks no http, hears nothing
            self.request.settimeout(self.server.gate.timeout)
            head, rest = _head(self.request)
            self._passed(head, rest)

    def _passed(self, head: list[bytes], rest: bytes) -> None:
        method, target, version = head[0].split(b" ")
        if not hmac.compare_digest(_value(head, b"proxy-authorization"), self.server.gate.login):
            self.request.sendall(_REFUSED % _LOGIN)
            return
        url = urlsplit(target.decode("ascii") if method != b"CONNECT" else f"//{target.decode('ascii')}")
        try:
            there = self.server.gate.connect(url.hostname or "", url.port or 80)
        except OSError as error:
            status = _FORBIDDEN if isinstance(error, egress.ForbiddenAddress) else _UNREACHABLE
            self.request.sendall(_REFUSED % status)
            return
        with there:
            if method == b"CONNECT":
                self.request.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                path = url._replace(scheme="", netloc="").geturl().encode() or b"/"
                head = [b" ".join((method, path, version)), *(line for line in head[1:] if not _is_ours(line))]
                rest = b"\r\n".join([*head, b"Connection: close", b"", rest])
            there.sendall(rest)
            _relay(self.request, there)


def _head(connection: socket.socket) -> tuple[list[bytes], bytes]:
    """The lines of a request's head, and what came behind it. Raises ValueError for none."""
    found = b""
    while b"\r\n\r\n" not in found:
        piece = connection.recv(MAX_HEAD)
        if not piece or len(found) > MAX_HEAD:
            raise ValueError("no head of a request")
        found += piece
    head, _, rest = found.partition(b"\r\n\r\n")
    return head.split(b"\r\n"), rest


def _value(head: list[bytes], name: bytes) -> bytes:
    found = (line.partition(b":") for line in head[1:])
    return next((value.strip() for key, _, value in found if key.strip().lower() == name), b"")


def _is_ours(line: bytes) -> bool:
    """Headers between the library and the gate: one request for each connection."""
    return line.partition(b":")[0].strip().lower() in {b"proxy-authorization", b"proxy-connection", b"connection"}


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Pass on what comes from either side until both have ended. Raises OSError where nothing came for too long."""
    with selectors.DefaultSelector() as ready:
        ready.register(one, selectors.EVENT_READ, other)
        ready.register(other, selectors.EVENT_READ, one)
        while ready.get_map():
            events = ready.select(one.gettimeout())
            if not events:
                raise TimeoutError("nothing came for too long")
            for key, _ in events:
                source, target = key.fileobj, key.data
                assert isinstance(source, socket.socket)
                if piece := source.recv(_PIECE):
                    target.sendall(piece)
                    continue
                ready.unregister(source)
                with suppress(OSError):  # it may have gone already
                    target.shutdown(socket.SHUT_WR)

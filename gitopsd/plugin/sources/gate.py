"""A way out for libraries that connect by themselves: a proxy on loopback, for this process alone, that keeps to an `Egress`.

Such a library looks up names on its own, so that a check beforehand is about another answer of the name server. Behind the
gate it reaches only what the gate connected to: the very address that was checked. Nor does it ask before it follows a
redirect, so that the gate can keep it to one host. TLS goes through untouched. It also speaks to proxies that the library does
not know (SOCKS).
"""

from __future__ import annotations

import hmac
import secrets
import selectors
import socket
import ssl
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


class Elsewhere(OSError):  # noqa: N818 - named by what it is, as every error here
    """A library follows where an answer leads, and that is another host."""


@dataclass(slots=True, kw_only=True)
class Gate:
    """An open one. `url` is the proxy's address with the login that it wants; `problem` is what it met last."""

    bounds: Egress
    proxy: str
    timeout: float
    only: tuple[str, int] | None = None
    """Host and port that alone may be connected to; None for any."""
    ca_file: str = ""
    """Certificates that an https:// proxy is trusted by beside those of the system."""
    url: str = field(default="", repr=False)
    token: str = field(default_factory=secrets.token_urlsafe, repr=False)
    problem: OSError | None = None

    @property
    def login(self) -> bytes:
        """The value of `Proxy-Authorization`."""
        return b"Basic " + b64encode(f"{_NAME}:{self.token}".encode())

    @property
    def forwards(self) -> bool:
        """Whether the way leads through a proxy that takes whole requests, where they are not encrypted."""
        return self.proxy.startswith(("http://", "https://"))

    def leads_astray(self, host: str, port: int) -> bool:
        """Whether this is no host for it, which is noted."""
        astray = self.only not in {None, (host, port)}
        if astray:
            self.problem = Elsewhere(f"leads to {host}, another host than the one that is named; that is not followed")
        return astray

    @property
    def introduction(self) -> list[bytes]:
        """What the proxy that is asked for whole requests wants to read of who asks."""
        login = egress.proxy_login(self.proxy) if self.forwards else ""
        return [f"Proxy-Authorization: {login}".encode()] if login else []

    def connect(self, host: str, port: int, *, whole: bool = False) -> socket.socket:
        """A connection to what may be connected to; `whole`: for one request, in clear. Raises OSError, which is noted."""
        try:
            if whole and self.forwards:
                self.bounds.check(host)
                return egress.to_proxy(self.proxy, self.timeout, self.ca_file)
            return egress.connect(
                host, port, timeout=self.timeout, egress=self.bounds, proxy=self.proxy, ca_file=self.ca_file
            )
        except OSError as error:
            self.problem = error
            raise

    def answer(self, there: socket.socket) -> tuple[list[bytes], bytes]:
        """The head of an answer, and what came behind it. Raises OSError and ValueError; that nothing came in time is noted."""
        try:
            return _head(there)
        except TimeoutError as error:
            self.problem = error
            raise


@contextmanager
def opened(
    bounds: Egress, *, timeout: float, proxy: str = "", only: tuple[str, int] | None = None, ca_file: str = ""
) -> Iterator[Gate]:
    """A gate for as long as the context lasts; `proxy` is the one that it goes through itself, `only` where it leads."""
    gate = Gate(bounds=bounds, proxy=proxy, timeout=timeout, only=only, ca_file=ca_file)
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
        gate, whole = self.server.gate, method != b"CONNECT"
        url = urlsplit(target.decode("ascii") if whole else f"//{target.decode('ascii')}")
        host, port = url.hostname or "", url.port or 80
        if gate.leads_astray(host, port):  # asked before the login, which libraries do not take along to another host
            self.request.sendall(_REFUSED % _FORBIDDEN)
            return
        if not hmac.compare_digest(_value(head, b"proxy-authorization"), gate.login):
            self.request.sendall(_REFUSED % _LOGIN)
            return
        try:
            there = gate.connect(host, port, whole=whole)
        except OSError as error:
            status = _FORBIDDEN if isinstance(error, egress.ForbiddenAddress) else _UNREACHABLE
            self.request.sendall(_REFUSED % status)
            return
        with there:
            if whole:
                first = target if gate.forwards else url._replace(scheme="", netloc="").geturl().encode() or b"/"
                asked = [line for line in head[1:] if not _is_login(line)]
                there.sendall(_closing([b" ".join((method, first, version)), *asked, *gate.introduction], rest))
                self.request.sendall(_closing(*gate.answer(there)))
            else:
                self.request.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
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


def _is_login(line: bytes) -> bool:
    return line.partition(b":")[0].strip().lower() == b"proxy-authorization"


def _closing(head: list[bytes], rest: bytes) -> bytes:
    """A request or an answer as the only one of its connection, without what is between the library and the gate."""
    ours = {b"proxy-connection", b"connection", b"keep-alive"}
    kept = [line for line in head if line.partition(b":")[0].strip().lower() not in ours]
    return b"\r\n".join([*kept, b"Connection: close", b"", rest])


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
                assert isinstance(target, socket.socket)
                if _passed_on(source, target):
                    continue
                if isinstance(target, ssl.SSLSocket):
                    return  # which cannot be closed on one side alone: whoever asked has gone
                ready.unregister(source)
                with suppress(OSError):  # it may have gone already
                    target.shutdown(socket.SHUT_WR)


def _passed_on(source: socket.socket, target: socket.socket) -> bool:
    """Pass on what is there. False at the end of it."""
    piece = source.recv(_PIECE)
    target.sendall(piece)
    while isinstance(source, ssl.SSLSocket) and source.pending():  # what is unpacked already shows on no socket
        target.sendall(source.recv(_PIECE))
    return bool(piece)

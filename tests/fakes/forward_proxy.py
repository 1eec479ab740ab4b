"""Forward proxies on loopback: HTTP (CONNECT, and whole URLs) and SOCKS5, with a password where one is set.

Names are looked up in `names` first, so that a test can ask for a host that exists nowhere else.
"""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit


@dataclass
class ForwardProxy:
    """A running proxy; `asked` are the host:port pairs that it was asked for, as they were asked."""

    url: str = ""
    login: str = ""
    """`user:password`, '' for none."""
    names: dict[str, tuple[str, int]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    """What clients said who they are."""

    def target(self, host: str, port: int) -> tuple[str, int]:
        self.asked.append(f"{host}:{port}")
        return self.names.get(host, (host, port))


@contextmanager
def forward_proxy(kind: str, login: str = "", tls: tuple[Path, Path] | None = None) -> Iterator[ForwardProxy]:
    """A proxy of this kind, `http`, `socks5`, or `https` with the files of its certificate and key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if tls:
        context.load_cert_chain(*tls)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    proxy = ForwardProxy(url=f"{kind}://127.0.0.1:{listener.getsockname()[1]}", login=login)
    stop, threads = threading.Event(), []
    serve = _socks if kind == "socks5" else _http

    def accept() -> None:
        while not stop.is_set():
            with suppress(TimeoutError):
                client, _ = listener.accept()
                client.settimeout(10)
                if tls:
                    client = context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
                threads.append(threading.Thread(target=_served, args=(serve, client, proxy)))
                threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield proxy
    finally:
        stop.set()
        acceptor.join()
        for thread in threads:
            thread.join()
        listener.close()


def _served(serve, client: socket.socket, proxy: ForwardProxy) -> None:
    with client, suppress(OSError):
        found = serve(client, proxy)
        if found is None:
            return
        upstream, pump = found
        with upstream:
            back = threading.Thread(target=pump, args=(upstream, client))
            back.start()
            _pump(client, upstream)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _pump_once(source: socket.socket, sink: socket.socket) -> None:
    """One answer, which says that no other follows."""
    with suppress(OSError), source.makefile("rb", buffering=0) as answer:
        sink.sendall(answer.readline() + b"Connection: close\r\n")
    _pump(source, sink)


Connected = tuple[socket.socket, Callable[[socket.socket, socket.socket], None]]
"""The other side, and what passes its answers on."""


def _http(client: socket.socket, proxy: ForwardProxy) -> Connected | None:
    head = b""
    while b"\r\n\r\n" not in head and (data := client.recv(1 << 16)):
        head += data
    first, _, rest = head.partition(b"\r\n")
    method, target, version = first.decode().split(" ")
    given = next(
        (
            line[27:]
            for line in rest.decode("latin-1").split("\r\n")
            if line.lower().startswith("proxy-authorization: basic ")
        ),
        "",
    )
    proxy.logins.append(base64.b64decode(given).decode())
    if proxy.login and proxy.logins[-1] != proxy.login:
        client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return None
    if method == "CONNECT":
        host, _, port = target.rpartition(":")
        upstream = socket.create_connection(proxy.target(host.strip("[]"), int(port)), timeout=10)
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return upstream, _pump
    parts = urlsplit(target)
    upstream = socket.create_connection(proxy.target(parts.hostname or "", parts.port or 80), timeout=10)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    upstream.sendall(f"{method} {path} {version}\r\nConnection: close\r\n".encode() + rest)
    return upstream, _pump_once


def _socks(client: socket.socket, proxy: ForwardProxy) -> Connected | None:
    _, count = client.recv(2)
    offered = client.recv(count)
    method = 2 if proxy.login else 0
    client.sendall(bytes([5, method if method in offered else 255]))
    if method not in offered:
        return None
    if proxy.login:
        _, size = client.recv(2)
        user = client.recv(size).decode()
        password = client.recv(client.recv(1)[0]).decode()
        proxy.logins.append(f"{user}:{password}")
        right = proxy.logins[-1] == proxy.login
        client.sendall(bytes([1, 0 if right else 1]))
        if not right:
            return None
    _, _, _, kind = client.recv(4)
    host = client.recv(client.recv(1)[0]).decode() if kind == 3 else socket.inet_ntoa(client.recv(4))
    port = int.from_bytes(client.recv(2), "big")
    upstream = socket.create_connection(proxy.target(host, port), timeout=10)
    client.sendall(bytes([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
    return upstream, _pump

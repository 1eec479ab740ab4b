"""A static web server on loopback, in a thread: files with etags, basic auth, redirects and failures by path, a journal."""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, with the headers that tests look at and the status that it got."""

    path: str
    authorization: str
    conditional: bool
    status: int


@dataclass
class Site:
    """What the server does. `files` by path; a `redirects` target may be on another host."""

    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    retry_after: str = ""
    authorization: str = ""
    """The header that opens it; '' for everybody."""
    etags: bool = True
    endless: frozenset[str] = frozenset()
    """Paths whose content never ends."""
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [asked.path for asked in self.asked]


@contextmanager
def web_server(
    site: Site | None = None, tls: tuple[Path, Path] | None = None, *, address: str = "127.0.0.1", port: int = 0
) -> Iterator[Site]:
    """Serve the site until the context ends; `tls` are the files of certificate and key."""
    served = site or Site()
    server = ThreadingHTTPServer((address, port), type("Handler", (_Handler,), {"site": served}))
    server.daemon_threads = True
    scheme = "http"
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "https"
    served.url = f"{scheme}://{address}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def log_message(self, *arguments: Any) -> None:
        """Keep the test's output clean."""

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ValueError):  # the client has gone, or does not trust us
            self.close_connection = True

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        site, path = self.site, urlsplit(self.path).path
        if site.authorization and self.headers.get("Authorization") != site.authorization:
            return self._answer(401)
        if path in site.failures:
            return self._answer(
                site.failures[path], headers={"Retry-After": site.retry_after} if site.retry_after else {}
            )
        if path in site.redirects:
            return self._answer(302, headers={"Location": site.redirects[path]})
        if path in site.endless:
            return self._never_end()
        if path not in site.files:
            return self._answer(404)
        body = site.files[path]
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if site.etags and self.headers.get("If-None-Match") == etag:
            return self._answer(304)
        return self._answer(200, body, {"ETag": etag} if site.etags else {})

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self._note(status)
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _never_end(self) -> None:
        self._note(200)
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        block = b"# nothing\n" * 100_000
        while True:
            self.wfile.write(block)

    def _note(self, status: int) -> None:
        self.site.asked.append(
            Asked(
                urlsplit(self.path).path,
                self.headers.get("Authorization", ""),
                "If-None-Match" in self.headers or "If-Modified-Since" in self.headers,
                status,
            )
        )

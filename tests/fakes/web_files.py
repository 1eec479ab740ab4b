"""A web server of single files on loopback; what it is asked for is counted, and it fails or redirects as it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class WebFiles:
    """`files` by path; a path in `redirects` leads elsewhere; `status` answers everything with it."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    status: int = 0
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve(files: dict[str, str]) -> Iterator[WebFiles]:
    """Serve these texts."""
    web = WebFiles(files={path: text.encode() for path, text in files.items()})
    server = _Server(("127.0.0.1", 0), _Handler)
    server.web = web
    web.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    web: WebFiles


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *arguments: Any) -> None:
        """Keep the test's output clean."""

    def do_GET(self) -> None:
        web, path = self.server.web, self.path.partition("?")[0]
        web.asked.append(self.path)
        data = web.files.get(path)
        status = web.status or (302 if path in web.redirects else 200 if data is not None else 404)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", web.redirects[path])
        body = data if data is not None and status == 200 else b""
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

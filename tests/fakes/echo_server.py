"""A hostile server: it refuses whatever it is asked, and repeats all that it was sent in the places where services put their words."""

from __future__ import annotations

import base64
import binascii
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote_plus


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: Any) -> None:
        """Nothing."""

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8", "replace")
        words = f"{self.path} {' '.join(map(_plain, self.headers.values()))} {body} {unquote_plus(body)}"
        said = {"message": words, "error": words, "error_description": words}
        errors = [{"code": "DENIED", "message": words}] if self.path.startswith("/v2/") else [words]
        data = json.dumps({**said, "errors": errors}).encode()
        self.send_response(403)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(data)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else data)

    do_GET = do_HEAD = do_POST = do_PUT = answer  # noqa: N815 - the names are the library's


def _plain(header: str) -> str:
    """A header, and what is in it where it is a basic login."""
    try:
        return f"{header} {base64.b64decode(header.removeprefix('Basic ')).decode()}"
    except (binascii.Error, UnicodeDecodeError):
        return header


@contextmanager
def echo_server() -> Iterator[str]:
    """Its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

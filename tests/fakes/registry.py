"""An OCI registry on loopback that answers as it is told, and remembers what it was asked."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import ssl
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.cncf.flux.config.v1+json"
CONTENT = "application/vnd.cncf.flux.content.v1.tar+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def authorization(self) -> str:
        return self.headers.get("Authorization", "")


@dataclass(frozen=True)
class Answer:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


Rule = Callable[[Request], Answer | None]


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def layer(files: Mapping[str, bytes | None]) -> bytes:
    """A tar.gz of these files, the same for the same files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as opened:
        for name in sorted(files):
            if (data := files[name]) is not None:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                opened.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0)


@dataclass
class Registry:
    """What is in it, and how it behaves. `rules` come before everything else; the first that answers wins."""

    repository: str = "team/app"
    login: str = ""
    """`basic` or `bearer`; '' lets everybody in."""
    username: str = "ada"
    password: str = "hush-hush"
    token: str = "t0ken"
    expires: int = 300
    referrers: bool = True
    page: int = 1000
    rules: list[Rule] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    host: str = ""
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"oci://{self.host}/{self.repository}"

    @property
    def paths(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]

    def blob(self, data: bytes, media_type: str) -> dict[str, object]:
        self.blobs[digest(data)] = data
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

    def artifact(self, *layers: bytes, tag: str = "", media_type: str = CONTENT, **fields: object) -> str:
        """Put an artifact of these layers; its digest."""
        document = {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": self.blob(b"{}", CONFIG),
            "layers": [self.blob(data, media_type) for data in layers],
            **fields,
        }
        return self.manifest(json.dumps(document).encode(), tag=tag)

    def manifest(self, raw: bytes, *, tag: str = "", media_type: str = IMAGE) -> str:
        self.manifests[digest(raw)] = media_type, raw
        if tag:
            self.tags[tag] = digest(raw)
        return digest(raw)

    def index(self, *children: tuple[str, Mapping[str, object]], tag: str = "") -> str:
        listed = [
            {"mediaType": self.manifests[d][0], "digest": d, "size": len(self.manifests[d][1]), **more}
            for d, more in children
        ]
        raw = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}).encode()
        return self.manifest(raw, tag=tag, media_type=INDEX)

    def rule(self, pattern: str, answer: Answer, *, times: int = 1 << 30) -> None:
        """Answer so to paths that match, so many times."""
        left = [times]

        def ruled(request: Request) -> Answer | None:
            if left[0] <= 0 or not re.search(pattern, f"{request.method} {request.path}"):
                return None
            left[0] -= 1
            return answer

        self.rules.append(ruled)

    def answer(self, request: Request) -> Answer:
        for rule in self.rules:
            if (found := rule(request)) is not None:
                return found
        url = urlsplit(request.path)
        if url.path == "/token":
            return self._token(request)
        refused = self._refused(request)
        if refused:
            return refused
        if url.path == "/v2/":
            return Answer(body=b"{}")
        found = re.fullmatch(rf"/v2/{self.repository}/(manifests|blobs|tags|referrers)/(.+)", url.path)
        if not found:
            return _missing("NAME_UNKNOWN")
        match found[1]:
            case "manifests":
                return self._manifest(found[2])
            case "blobs":
                data = self.blobs.get(found[2])
                return _missing("BLOB_UNKNOWN") if data is None else Answer(body=data)
            case "referrers":
                return self._referrers(found[2]) if self.referrers else _missing("NOT_FOUND")
            case _:
                return self._tags(parse_qs(url.query))

    def _manifest(self, ref: str) -> Answer:
        name = self.tags.get(ref, ref)
        if name not in self.manifests:
            return _missing("MANIFEST_UNKNOWN")
        media_type, raw = self.manifests[name]
        return Answer(headers={"Content-Type": media_type, "Docker-Content-Digest": name}, body=raw)

    def _tags(self, query: Mapping[str, list[str]]) -> Answer:
        names = sorted(self.tags)
        start = names.index(query["last"][0]) + 1 if "last" in query else 0
        page = names[start : start + self.page]
        more = start + self.page < len(names)
        headers = {"Link": f'</v2/{self.repository}/tags/list?last={page[-1]}>; rel="next"'} if more else {}
        return Answer(headers=headers, body=json.dumps({"name": self.repository, "tags": page}).encode())

    def _referrers(self, subject: str) -> Answer:
        found = []
        for name, (media_type, raw) in self.manifests.items():
            document = json.loads(raw)
            if document.get("subject", {}).get("digest") == subject:
                kind = document.get("artifactType") or document["config"]["mediaType"]
                found.append({"mediaType": media_type, "digest": name, "size": len(raw), "artifactType": kind})
        body = {"schemaVersion": 2, "mediaType": INDEX, "manifests": found}
        return Answer(headers={"Content-Type": INDEX}, body=json.dumps(body).encode())

    @property
    def _basic(self) -> str:
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()

    def _token(self, request: Request) -> Answer:
        if request.authorization not in {self._basic}:
            return Answer(status=401, body=b'{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}]}')
        return Answer(body=json.dumps({"token": self.token, "expires_in": self.expires}).encode())

    def _refused(self, request: Request) -> Answer | None:
        wanted = {"basic": self._basic, "bearer": f"Bearer {self.token}", "": request.authorization}[self.login]
        if request.authorization == wanted:
            return None
        realm = f"{self.scheme}://{self.host}/token"
        said = 'Basic realm="here"' if self.login == "basic" else f'Bearer realm="{realm}",service="here",scope="x"'
        return Answer(status=401, headers={"WWW-Authenticate": said})


def _missing(code: str) -> Answer:
    return Answer(status=404, body=json.dumps({"errors": [{"code": code, "message": "not known"}]}).encode())


@contextmanager
def serving(registry: Registry, *, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[Registry]:
    """Serve it; its `host` is known from then on."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            request = Request(self.command, self.path, dict(self.headers))
            registry.requests.append(request)
            answer = registry.answer(request)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if "Content-Length" not in answer.headers:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_HEAD = do_POST = do_PUT = handle_one  # noqa: N815 - http.server names them so

        def log_message(self, *arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *arguments: object) -> None:
            """A client that goes away in the middle is part of the tests."""

    server = Server((address, 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        registry.scheme = "https"
    registry.host = f"{address}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""Git servers on loopback, so that tests need neither a git binary nor the network.

`HttpServer` speaks smart http over dulwich's own server for protocol 0, and a small protocol 2 of its own (ls-refs and
fetch). It counts requests, asks for credentials, redirects and fails as it is told. `ssh_server` serves protocol 0.
"""

from __future__ import annotations

import base64
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from dulwich.errors import GitProtocolError, HangupException
from dulwich.objects import Commit, Tag, Tree
from dulwich.pack import write_pack_objects
from dulwich.protocol import Protocol, pkt_line
from dulwich.repo import Repo
from dulwich.server import DictBackend, UploadPackHandler

_V2 = [b"version 2\n", b"agent=fake\n", b"ls-refs=unborn\n", b"fetch=shallow\n", b"object-format=sha1\n"]


@dataclass
class Behaviour:
    """What the server does. `status` answers everything with it; `redirect` sends every GET elsewhere."""

    modern: bool = True
    username: str = ""
    password: str = ""
    bearer: str = ""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    redirect: str = ""
    body: bytes | None = None
    kind: str = "application/x-git-upload-pack-advertisement"
    refuse_wants: bool = False
    listed: str = ""
    """A ref that is advertised beside those of the repository."""
    packed: bytes | None = None
    """The answer to every fetch in protocol 2."""
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """(method, path with query, Authorization header) in order."""


@dataclass
class HttpServer:
    """A running server; `url` of one repository, `behaviour` may be changed at any time."""

    url: str
    behaviour: Behaviour


@contextmanager
def http_server(
    path: Path, behaviour: Behaviour | None = None, tls: tuple[Path, Path] | None = None, clients: Path | None = None
) -> Iterator[HttpServer]:
    """Serve the repository at `path`; `tls` is (certificate, key), `clients` the CA that clients must be signed by."""
    behaviour = behaviour or Behaviour()
    server = _Server(path, behaviour)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        scheme = "https" if tls else "http"
        yield HttpServer(url=f"{scheme}://127.0.0.1:{server.server_address[1]}/team/app.git", behaviour=behaviour)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, path: Path, behaviour: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.path = path
        self.behaviour = behaviour


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *arguments: Any) -> None:
        """Keep the test's output clean."""

    def do_GET(self) -> None:
        if self._admitted() and not self._redirected():
            self._answer(
                self.server.behaviour.kind,
                self.server.behaviour.body if self.server.behaviour.body is not None else self._advertisement(),
            )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self._admitted():
            return
        with Repo(str(self.server.path)) as repo:
            modern = self.headers.get("Git-Protocol") == "version=2" and self.server.behaviour.modern
            answer = _modern(repo, body, self.server.behaviour) if modern else _old(repo, body, advertise=False)
        self._answer("application/x-git-upload-pack-result", answer)

    def _advertisement(self) -> bytes:
        with Repo(str(self.server.path)) as repo:
            if self.server.behaviour.modern and self.headers.get("Git-Protocol") == "version=2":
                return b"".join(map(pkt_line, [b"# service=git-upload-pack\n", None, *_V2, None]))
            listed = self.server.behaviour.listed
            extra = pkt_line(b"%s %s\n" % (b"a" * 40, listed.encode())) if listed else b""
            refs = _old(repo, b"", advertise=True).removesuffix(b"0000") + extra + b"0000"
            return pkt_line(b"# service=git-upload-pack\n") + pkt_line(None) + refs

    def _admitted(self) -> bool:
        given = self.headers.get("Authorization", "")
        self.server.behaviour.requests.append((self.command, self.path, given))
        if self.server.behaviour.status:
            self._refuse(self.server.behaviour.status)
            return False
        wanted = f"Bearer {self.server.behaviour.bearer}" if self.server.behaviour.bearer else ""
        if self.server.behaviour.username:
            pair = f"{self.server.behaviour.username}:{self.server.behaviour.password}".encode()
            wanted = "Basic " + base64.b64encode(pair).decode()
        if wanted and given != wanted:
            self._refuse(401)
            return False
        return True

    def _redirected(self) -> bool:
        parts = urlsplit(self.path)
        target = urlsplit(self.server.behaviour.redirect)
        here = target.netloc in {"", self.headers["Host"]}
        if not target.path or (here and parts.path.startswith(target.path + "/")):
            return False
        service = parse_qs(parts.query)["service"][0]
        self.send_response(302)
        self.send_header("Location", f"{self.server.behaviour.redirect}/info/refs?service={service}")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return True

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        for name, value in self.server.behaviour.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _old(repo: Repo, body: bytes, *, advertise: bool) -> bytes:
    out = BytesIO()
    proto = Protocol(BytesIO(body).read, out.write)
    backend = DictBackend({b"/": repo})
    handler = UploadPackHandler(backend, [b"/"], proto, stateless_rpc=True, advertise_refs=advertise)
    try:
        handler.handle()
    except GitProtocolError as error:
        return pkt_line(b"ERR upload-pack: " + str(error).encode())
    return out.getvalue()


def _modern(repo: Repo, body: bytes, behaviour: Behaviour) -> bytes:
    lines = _lines(body)
    if b"command=ls-refs" in lines:
        prefixes = tuple(line.removeprefix(b"ref-prefix ") for line in lines if line.startswith(b"ref-prefix "))
        extra = pkt_line(b"%s %s\n" % (b"a" * 40, behaviour.listed.encode())) if behaviour.listed else b""
        return b"".join(pkt_line(line) for line in _listed(repo, prefixes)) + extra + pkt_line(None)
    return _packed(repo, lines, behaviour)


def _lines(body: bytes) -> list[bytes]:
    lines, at = [], 0
    while at < len(body):
        length = int(body[at : at + 4], 16)
        if length > 4:
            lines.append(body[at + 4 : at + length].rstrip(b"\n"))
        at += max(length, 4)
    return lines


def _listed(repo: Repo, prefixes: tuple[bytes, ...]) -> Iterator[bytes]:
    for ref, oid in sorted(repo.refs.as_dict().items()):
        if not prefixes or ref.startswith(prefixes):
            peeled = repo.get_peeled(ref)
            yield oid + b" " + ref + (b" peeled:" + peeled if peeled != oid else b"") + b"\n"


def _packed(repo: Repo, lines: list[bytes], behaviour: Behaviour) -> bytes:
    if behaviour.packed is not None:
        return behaviour.packed
    words = [line.split(b" ") for line in lines]
    wants = [word[1] for word in words if word[0] == b"want"]
    haves = [word[1] for word in words if word[0] == b"have" and word[1] in repo.object_store]
    depth = next((int(word[1]) for word in words if word[0] == b"deepen"), 0)
    tips = set(repo.refs.as_dict().values())
    for want in wants:
        if want not in repo.object_store or (behaviour.refuse_wants and want not in tips):
            return pkt_line(b"ERR upload-pack: not our ref " + want)
    objects, shallow = _reachable(repo, wants, depth)
    known, _ = _reachable(repo, haves, 1 if depth else 0)
    pack = BytesIO()
    chosen = [(repo.object_store[oid], None) for oid in sorted(objects - known)]
    write_pack_objects(pack.write, chosen, object_format=repo.object_format)
    data = pack.getvalue()
    head = [b"shallow-info\n", *(b"shallow " + oid for oid in sorted(shallow))] if shallow else []
    chunks = [b"\x01" + data[at : at + 60_000] for at in range(0, len(data), 60_000)]
    return (
        b"".join(map(pkt_line, head))
        + (b"0001" if head else b"")
        + pkt_line(b"packfile\n")
        + b"".join(map(pkt_line, chunks))
        + pkt_line(None)
    )


def _reachable(repo: Repo, tips: list[bytes], depth: int) -> tuple[set[bytes], set[bytes]]:
    found: set[bytes] = set()
    shallow: set[bytes] = set()
    todo = [(tip, 1) for tip in tips]
    while todo:
        oid, level = todo.pop()
        if oid in found:
            continue
        found.add(oid)
        thing = repo.object_store[oid]
        if isinstance(thing, Tag):
            todo.append((thing.object[1], level))
        elif isinstance(thing, Commit):
            todo.append((thing.tree, level))
            if depth and level >= depth:
                shallow.update([oid] if thing.parents else [])
            else:
                todo += [(parent, level + 1) for parent in thing.parents]
        elif isinstance(thing, Tree):
            todo += [(entry.sha, level) for entry in thing.items() if entry.mode != 0o160000]
    return found, shallow


@dataclass
class SshServer:
    """A running ssh server; `known_hosts` names it, `identity` opens it."""

    url: str
    known_hosts: str
    identity: str
    commands: list[str] = field(default_factory=list)


@contextmanager
def ssh_server(path: Path) -> Iterator[SshServer]:
    """Serve the repository at `path` to the user `git` with the identity that is made here."""
    host_key, (identity, public) = paramiko.ECDSAKey.generate(), _ed25519()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    known_hosts = f"[127.0.0.1]:{port} {host_key.get_name()} {host_key.get_base64()}\n"
    server = SshServer(url=f"ssh://git@127.0.0.1:{port}/team/app.git", known_hosts=known_hosts, identity=identity)
    transports: list[paramiko.Transport] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transports.append(transport)
            transport.add_server_key(host_key)
            with suppress(paramiko.SSHException, EOFError, ConnectionError):  # whoever came may go at once
                transport.start_server(server=_Login(path, public, server.commands))

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for transport in transports:
            transport.close()


def _ed25519() -> tuple[str, str]:
    """A private key as OpenSSH writes it, and its public half in base64."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return private, key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode().split()[1]


class _Login(paramiko.ServerInterface):
    def __init__(self, path: Path, public: str, commands: list[str]) -> None:
        self._path = path
        self._public = public
        self._commands = commands

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        good = username == "git" and key.get_base64() == self._public
        return paramiko.common.AUTH_SUCCESSFUL if good else paramiko.common.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_env_request(self, channel: paramiko.Channel, name: bytes, value: bytes) -> bool:
        return False

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._commands.append(command.decode())
        threading.Thread(target=self._run, args=(channel, command.decode())).start()
        return True

    def _run(self, channel: paramiko.Channel, command: str) -> None:
        with suppress(GitProtocolError, HangupException, EOFError, OSError):  # the client has gone
            channel.send_exit_status(self._serve(channel, command))
            channel.shutdown_write()
            while channel.recv(1 << 16):
                """Until the client closes: a close that overtakes the answer to its request would be no refusal."""
            channel.close()

    def _serve(self, channel: paramiko.Channel, command: str) -> int:
        if command != "git-upload-pack '/team/app.git'":
            channel.sendall_stderr(b"fatal: '/team/other.git' does not appear to be a git repository\n")
            return 128
        with Repo(str(self._path)) as repo:
            proto = Protocol(channel.makefile("rb").read, channel.sendall)
            UploadPackHandler(DictBackend({b"/": repo}), [b"/"], proto).handle()
        return 0


@contextmanager
def backend_server(root: Path) -> Iterator[str]:
    """Serve all repositories below `root` with git's own http backend: for comparison, where git is found."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Backend", (_Backend,), {"root": root}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Backend(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root: Path

    def log_message(self, *arguments: Any) -> None:
        """Keep the test's output clean."""

    def do_GET(self) -> None:
        self._run(b"")

    def do_POST(self) -> None:
        self._run(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _run(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=False)
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

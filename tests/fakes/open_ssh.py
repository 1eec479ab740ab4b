"""A real OpenSSH server on loopback, with keys made by `ssh-keygen`; it runs Git's own `git-upload-pack`."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SERVER = "/usr/sbin/sshd"


@dataclass(frozen=True)
class OpenSsh:
    """A running server; `address` of a folder, and what it wrote down."""

    port: int
    folder: Path
    seen: list[int] = field(default_factory=lambda: [0])

    def address(self, path: Path) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}"

    @property
    def logins(self) -> int:
        """How often somebody connected and was let in since `forget`."""
        return self.log.count("Accepted publickey") - self.seen[-1]

    def forget(self) -> None:
        """Count from now on."""
        self.seen.append(self.log.count("Accepted publickey"))

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def known_hosts(self, *kinds: str, hashed: bool = False) -> str:
        """The server's host keys of these types, as `ssh-keyscan` would write them."""
        lines = []
        for kind in kinds:
            key = (self.folder / f"host_{kind}.pub").read_text().split()
            lines.append(f"[127.0.0.1]:{self.port} {key[0]} {key[1]}\n")
        file = self.folder / "known_hosts"
        file.write_text("".join(lines))
        if hashed:
            subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
        return file.read_text()

    def identity(self, kind: str, passphrase: str = "", bits: int | None = None) -> str:
        """A new key that the server lets in."""
        key = self.folder / f"id_{kind}_{len(list(self.folder.iterdir()))}"
        _keygen(key, kind, passphrase, bits)
        with (self.folder / "authorized_keys").open("a") as file:
            file.write(key.with_suffix(".pub").read_text())
        return key.read_text()


@contextmanager
def open_ssh(
    folder: Path, hosts: Sequence[str] = ("ed25519", "ecdsa", "rsa"), *, modern: bool = True
) -> Iterator[OpenSsh]:
    """A server with host keys of these types; `modern` ones let clients ask for protocol 2. Skips where there is none."""
    for program in (SERVER, "ssh-keygen", "git-upload-pack"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: openssh-server, openssh-client, git)")
    folder.mkdir()
    for kind in hosts:
        _keygen(folder / f"host_{kind}", kind)
    (folder / "authorized_keys").touch()
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True, mode=0o755)  # the server's own demand
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        f"PermitRootLogin prohibit-password\nAuthorizedKeysFile {folder}/authorized_keys\n"
        + ("AcceptEnv GIT_PROTOCOL\n" if modern else "")
        + "".join(f"HostKey {folder}/host_{kind}\n" for kind in hosts)
    )
    process = subprocess.Popen([SERVER, "-D", "-f", str(config), "-E", str(folder / "log")])
    try:
        _wait(port, process)
        yield OpenSsh(port=port, folder=folder)
    finally:
        process.terminate()
        process.wait()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until it listens; a connection that is refused is tried again at once, until the server is there or has ended."""
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            continue
        return
    raise RuntimeError("sshd ended at once; its log says why")


def _keygen(file: Path, kind: str, passphrase: str = "", bits: int | None = None) -> None:
    bits = bits or (2048 if kind == "rsa" else None)
    size = ["-b", str(bits)] if bits else []
    once = ["-a", "1"]  # rounds that make a passphrase dear to guess, and to open
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *size, *once, "-N", passphrase, "-f", str(file)], check=True)

"""Debian's docker-registry, started by a test: with a login and TLS where that is asked for."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import pytest

CONFIG = """
version: 0.1
log: {{level: info}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"{tls}}}
{auth}
"""


@dataclass(frozen=True)
class Running:
    host: str

    @property
    def url(self) -> str:
        return f"oci://{self.host}/team/app"


@contextmanager
def docker_registry(
    folder: Path, *, login: tuple[str, str] | None = None, tls: tuple[Path, Path] | None = None
) -> Iterator[Running]:
    """A registry that keeps everything in this folder. Skips the test where the program is not installed."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    auth = ""
    if login:
        name, password = login
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
        (folder / "htpasswd").write_text(f"{name}:{hashed}\n")
        auth = f"auth: {{htpasswd: {{realm: here, path: {folder}/htpasswd}}}}"
    pair = f", tls: {{certificate: {tls[0]}, key: {tls[1]}}}" if tls else ""
    config = folder / "config.yml"
    config.write_text(CONFIG.format(folder=folder, port=port, tls=pair, auth=auth))
    process = subprocess.Popen([program, "serve", str(config)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stderr is not None
    reader = None
    try:
        for line in process.stderr:
            if b"listening on" in line:
                break
        else:
            pytest.fail(f"docker-registry ended: {process.wait()}")
        reader = threading.Thread(target=process.stderr.read)  # else it stops once the pipe is full of its log
        reader.start()
        yield Running(host=f"127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()
        if reader:
            reader.join()
        process.stderr.close()

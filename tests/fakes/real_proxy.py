"""Debian's tinyproxy (HTTP) and microsocks (SOCKS5), started by a test: with a login where that is asked for."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAMS = {"http": "tinyproxy", "socks5": "microsocks"}
CONFIG = """
Port {port}
Listen 127.0.0.1
Timeout 30
Allow 127.0.0.1
LogLevel Connect
LogFile "{folder}/tinyproxy.log"
{login}
"""


@dataclass(frozen=True)
class Running:
    url: str
    log: Path

    def told(self) -> str:
        """What the proxy wrote about whom it served."""
        return self.log.read_text()


@contextmanager
def real_proxy(kind: str, folder: Path, login: tuple[str, str] | None = None) -> Iterator[Running]:
    """A proxy of this kind, `http` or `socks5`. Skips the test where the program is not installed."""
    program = shutil.which(PROGRAMS[kind])
    if program is None:
        pytest.skip(f"{PROGRAMS[kind]} is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = folder / f"{PROGRAMS[kind]}.log"
    if kind == "http":
        config = folder / "tinyproxy.conf"
        config.write_text(
            CONFIG.format(port=port, folder=folder, login=f"BasicAuth {' '.join(login)}" if login else "")
        )
        command = [program, "-d", "-c", str(config)]
    else:
        given = ["-u", login[0], "-P", login[1]] if login else []
        command = [program, "-i", "127.0.0.1", "-p", str(port), *given]
    with (folder / "output.log" if kind == "http" else log).open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        _await(process, port)
        yield Running(url=f"{kind}://127.0.0.1:{port}", log=log)
    finally:
        process.kill()
        process.wait()


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    """Neither program says when it listens."""
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    pytest.fail(f"the proxy ended: {process.returncode}")

"""A real Vault or OpenBao in its development mode, as a process of its own. Skips by name where neither is installed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

BINARY = shutil.which("vault") or shutil.which("bao")
PATIENCE = 40.0
ROOT = "root-of-the-test"


@dataclass(frozen=True, slots=True)
class Vault:
    """The running server."""

    url: str

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """A request to its API with all rights."""
        data = json.dumps(body or {}).encode()
        request = urllib.request.Request(f"{self.url}/v1/{path}", data=data, method=method)
        request.add_header("X-Vault-Token", ROOT)
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read() or b"null")

    def token(self, *policies: str) -> str:
        """A new token with these policies only."""
        made = self.send("POST", "auth/token/create", {"policies": policies, "no_default_policy": True})
        return str(made["auth"]["client_token"])


@contextmanager
def vault_server(folder: Path) -> Iterator[Vault]:
    """A server on loopback with a transit key `main`, and a policy `opener` that may decrypt with it."""
    if BINARY is None:
        pytest.skip("neither vault nor bao is installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [BINARY, "server", "-dev", f"-dev-root-token-id={ROOT}", f"-dev-listen-address={address}"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "SKIP_SETCAP": "1"}
    with (folder / "vault.log").open("wb") as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
    try:
        vault = Vault(f"http://{address}")
        _wait(vault, process)
        vault.send("POST", "sys/mounts/transit", {"type": "transit"})
        vault.send("POST", "transit/keys/main")
        rule = 'path "transit/decrypt/main" { capabilities = ["update"] }'
        vault.send("POST", "sys/policies/acl/opener", {"policy": rule})
        yield vault
    finally:
        process.kill()
        process.wait()


def _wait(vault: Vault, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            vault.send("GET", "sys/health")
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"Vault did not start within {PATIENCE:g} s")

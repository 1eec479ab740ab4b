"""Credentials from a program that the user's own kubeconfig names (client.authentication.k8s.io v1 and v1beta1).

It is run as an argument vector, without a shell and without a terminal, for a bounded time, and its answer is kept until
shortly before it expires. It inherits the environment, as with kubectl: cloud tools find their own login there. Only files
that the user named are read this way; what comes from a repository or a Secret never gets here.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import msgspec

from gitopsd.plugin import Misconfigured, Rejected
from gitopsd_plugins.kubernetes.access.kubefile import ClusterEntry, ExecEntry

_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_TIMEOUT = 60.0
_MAX_ANSWER = 1024 * 1024
_EARLY = timedelta(seconds=60)
"""So long before its end an answer is fetched anew."""
_CLUSTER_CONFIG = "client.authentication.k8s.io/exec"


class Credential(msgspec.Struct, frozen=True, rename="camel"):
    """What the program printed."""

    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""
    expiration_timestamp: datetime | None = None


class _Answer(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str
    kind: str
    status: Credential | None = None


@dataclass(slots=True, kw_only=True)
class ExecPlugin:
    """Asks the program when needed; concurrent requests share one run."""

    entry: ExecEntry
    cluster: ClusterEntry
    ca: bytes
    folder: Path
    now: Callable[[], datetime]
    _kept: Credential | None = None
    _lock: anyio.Lock = field(default_factory=anyio.Lock)

    def __post_init__(self) -> None:
        if self.entry.api_version not in _VERSIONS:
            raise Misconfigured(
                f"kubeconfig: the exec plugin {self.entry.command!r} speaks {self.entry.api_version!r}; "
                f"gitopsd speaks {' and '.join(_VERSIONS)}"
            )
        if self.entry.interactive_mode == "Always":
            raise Misconfigured(
                f"kubeconfig: the exec plugin {self.entry.command!r} wants a terminal (interactiveMode: Always); "
                "use a login that works without one"
            )

    async def credential(self) -> Credential:
        """The kept answer, or a new one. Raises `Rejected` with the program's own words when it fails."""
        async with self._lock:
            if self._kept is None or self._is_old(self._kept):
                self._kept = await self._run()
            return self._kept

    def expire(self) -> None:
        """Forget what is kept."""
        self._kept = None

    def _is_old(self, credential: Credential) -> bool:
        end = credential.expiration_timestamp
        return end is not None and end - _EARLY < self.now()

    async def _run(self) -> Credential:
        command = self._command()
        argv = [command, *(self.entry.args or [])]
        stdout, stderr, code = b"", b"", None
        try:
            with anyio.fail_after(_TIMEOUT):
                done = await anyio.run_process(
                    argv, stdin=subprocess.DEVNULL, check=False, env=self._environment(), cwd=self.folder
                )
                stdout, stderr, code = done.stdout, done.stderr, done.returncode
        except TimeoutError as error:
            raise Rejected(f"the exec plugin {command} gave no answer in {_TIMEOUT:.0f} s") from error
        except OSError as error:
            hint = f"; {self.entry.install_hint.strip()}" if self.entry.install_hint else ""
            raise Misconfigured(f"the exec plugin {command} cannot be run: {error.strerror}{hint}") from error
        if code:
            words = stderr.decode("utf-8", "replace").strip()[-500:]
            raise Rejected(f"the exec plugin {command} failed with exit code {code}: {words}")
        return self._read(command, stdout)

    def _read(self, command: str, stdout: bytes) -> Credential:
        if len(stdout) > _MAX_ANSWER:
            raise Rejected(f"the exec plugin {command} printed over {_MAX_ANSWER} bytes")
        try:
            answer = msgspec.json.decode(stdout, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # The text may hold a token, so neither it nor the decoder's words are shown.
            raise Rejected(f"the exec plugin {command} did not print an ExecCredential") from None
        if answer.kind != "ExecCredential" or answer.api_version != self.entry.api_version:
            raise Rejected(f"the exec plugin {command} printed {answer.api_version} {answer.kind}")
        status = answer.status
        if status is None or not (status.token or status.client_certificate_data):
            raise Rejected(f"the exec plugin {command} printed no credentials")
        if bool(status.client_certificate_data) != bool(status.client_key_data):
            raise Rejected(
                f"the exec plugin {command} printed a client certificate without its key, or a key without it"
            )
        return status

    def _command(self) -> str:
        """As kubectl has it: a bare name is looked up in PATH, a relative path is meant from the kubeconfig's folder."""
        command = self.entry.command
        return str(self.folder / command) if os.sep in command and not os.path.isabs(command) else command

    def _environment(self) -> Mapping[str, str]:
        info: dict[str, Any] = {"interactive": False}
        if self.entry.provide_cluster_info:
            info["cluster"] = self._cluster_info()
        request = {"apiVersion": self.entry.api_version, "kind": "ExecCredential", "spec": info}
        own = {item["name"]: item.get("value", "") for item in self.entry.env or [] if item.get("name")}
        return {**os.environ, **own, "KUBERNETES_EXEC_INFO": msgspec.json.encode(request).decode()}

    def _cluster_info(self) -> dict[str, Any]:
        cluster = self.cluster
        extensions = cluster.extensions or []
        config = next((item.get("extension") for item in extensions if item.get("name") == _CLUSTER_CONFIG), None)
        info: dict[str, Any] = {
            "server": cluster.server,
            "tls-server-name": cluster.tls_server_name,
            "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify,
            "certificate-authority-data": self.ca,  # bytes are written as base64
            "proxy-url": cluster.proxy_url,
            "config": config,
        }
        return {key: value for key, value in info.items() if value}

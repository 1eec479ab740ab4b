"""Git over ssh for dulwich: one connection per fetch, in a worker process. Polls have lines of their own (`sshrefs.py`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import paramiko
from dulwich.client import SSHGitClient, SSHVendor
from dulwich.config import StackedConfig
from dulwich.protocol import Protocol

from gitopsd_plugins.git.order import Remote
from gitopsd_plugins.git.wire import pktline, sshline


def client(remote: Remote) -> SSHGitClient:
    """A client for one ssh address. Nothing is sent yet."""
    place = remote.address
    return _Client(
        place.host,
        port=place.port,
        username=remote.access.user,
        vendor=_Vendor(remote),
        config=StackedConfig([]),
    )


class _Client(SSHGitClient):
    """dulwich leaves a conversation open that the server ends early; `close` ends all of them."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._open: list[Protocol] = []

    def _connect(self, *arguments: Any, **options: Any) -> Any:
        found = super()._connect(*arguments, **options)
        self._open.append(found[0])
        return found

    def close(self) -> None:
        """End all conversations."""
        while self._open:
            self._open.pop().close()


class _Session:
    """A command on the other side, as dulwich reads and writes it."""

    def __init__(self, line: paramiko.Transport, channel: paramiko.Channel) -> None:
        self._line = line
        self._channel = channel
        self.stderr = channel.makefile_stderr("rb")
        self.read: Callable[[int], bytes] = channel.makefile("rb", 1 << 16).read

    def write(self, data: bytes) -> int:
        self._channel.sendall(pktline.asking_for_offsets(data))
        return len(data)

    def can_read(self) -> bool:
        return self._channel.recv_ready()

    def close(self) -> None:
        self._line.close()


class _Vendor(SSHVendor):
    """Runs one command per connection."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def run_command(self, host: str, command: bytes, *arguments: Any, **options: Any) -> Any:
        """Connect, check the host, authenticate, and start the command."""
        line = sshline.open_line(self._remote)
        try:
            channel = sshline.open_channel(line, self._remote, command.decode())
        except (paramiko.SSHException, EOFError, OSError) as error:
            line.close()
            raise sshline.broken(self._remote, error) from error
        return _Session(line, channel)

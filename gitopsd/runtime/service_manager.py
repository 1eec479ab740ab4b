"""Tells systemd, or whoever listens on `NOTIFY_SOCKET`, how the process is doing. Without such a socket nothing is told.

The environment is read by the caller and passed in. A service manager that does not listen is no reason to stop working.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gitopsd.model.errors import UsageError

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

MAX_STATUS = 1000


class ServiceManager:
    """Sends one datagram per message. `address` as in `NOTIFY_SOCKET`: a path, `@name` for an abstract one, '' for none."""

    def __init__(self, address: str, log: FilteringBoundLogger) -> None:
        if address and address[0] not in "/@":
            raise UsageError(f"NOTIFY_SOCKET is {address!r}; it must be a path or an abstract name that begins with @")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._log = log

    def ready(self, status: str = "") -> None:
        """Started, or done with a reload."""
        self._send("READY=1", *_status(status))

    def reloading(self) -> None:
        """A reload begins; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """A graceful stop begins."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Feeds the watchdog."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line that `systemctl status` shows."""
        self._send(*_status(text))

    def _send(self, *fields: str) -> None:
        if not self._address or not fields:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.setblocking(False)
            try:
                channel.sendto("\n".join(fields).encode(), self._address)
            except OSError as error:
                self._log.warning("the service manager cannot be told", message=fields[0], error=error.strerror)


def watchdog_seconds(environment: Mapping[str, str], pid: int) -> float | None:
    """The period in which the service manager wants to hear from process `pid`; None when it does not watch it."""
    microseconds = environment.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    if environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(microseconds) / 1e6


def _status(text: str) -> tuple[str, ...]:
    return (f"STATUS={' '.join(text.split())[:MAX_STATUS]}",) if text else ()

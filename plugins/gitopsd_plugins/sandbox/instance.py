"""Which process serves the cluster that a kubeconfig names, so that `down` and `reset` find it.

Two hidden files beside the kubeconfig. The lock keeps others away. The record holds process id and how often the cluster was reset;
it is locked too, and gets its name only when it is written. So who finds a record that is locked reads what its living writer wrote,
never what an earlier process left: a process that is no sandbox gets no signal.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 60.0
"""Seconds that a running sandbox has to do what it was told, even on a machine that does much else."""
STOP, INTERRUPT, RESET = signal.SIGTERM, signal.SIGINT, signal.SIGUSR1


@dataclass(slots=True)
class Instance:
    """This process, as others find it once it announced itself."""

    kubeconfig: Path
    record: int = -1
    resets: int = 0

    def announce(self) -> None:
        """Be found from now on. The process takes signals by then."""
        path = record_of(self.kubeconfig)
        new = path.with_name(f"{path.name}.new")
        new.unlink(missing_ok=True)
        self.record = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self.record, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._write()
        new.replace(path)

    def note_reset(self) -> None:
        """Tell that the cluster is as new."""
        self.resets += 1
        self._write()

    def _write(self) -> None:
        """In one write of always the same length, so that nobody reads a half of it."""
        os.pwrite(self.record, f"{os.getpid():>20} {self.resets:>20}\n".encode(), 0)

    def close(self) -> None:
        """Be found no longer."""
        if self.record >= 0:
            os.close(self.record)


@dataclass(frozen=True, slots=True)
class Found:
    """A process that serves."""

    pid: int
    resets: int


Tell = Callable[[Path, Found], None]


def lock_of(kubeconfig: Path) -> Path:
    """The file that keeps others away."""
    return kubeconfig.with_name(f".{kubeconfig.name}.lock")


def record_of(kubeconfig: Path) -> Path:
    """The file that tells who serves."""
    return kubeconfig.with_name(f".{kubeconfig.name}.sandbox")


@contextmanager
def held(kubeconfig: Path) -> Iterator[Instance]:
    """Serve this kubeconfig. Raises BlockingIOError where another process does."""
    lock = os.open(lock_of(kubeconfig), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    instance = Instance(kubeconfig)
    try:
        _claim(lock, kubeconfig)
        yield instance
    finally:
        instance.close()
        os.close(lock)


def _claim(lock: int, kubeconfig: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BlockingIOError(f"a sandbox runs for {kubeconfig} already; end it with `gitopsd sandbox down`") from error


def running(kubeconfig: Path) -> Found | None:
    """Who serves this kubeconfig now; None for nobody."""
    try:
        with record_of(kubeconfig).open(encoding="utf-8") as record:
            try:
                fcntl.flock(record, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                pid, resets = record.read().split()
                return Found(int(pid), int(resets))
    except FileNotFoundError:
        return None
    return None


def stop(kubeconfig: Path, found: Found) -> None:
    """End the process, and wait until it is gone. Raises TimeoutError."""
    _signal(kubeconfig, found, STOP)
    _wait(lambda: running(kubeconfig) is None)


def reset(kubeconfig: Path, found: Found) -> None:
    """Have the process forget its cluster, and wait until it did. Raises TimeoutError."""
    _signal(kubeconfig, found, RESET)
    _wait(lambda: (now := running(kubeconfig)) is None or now.resets != found.resets)


def _signal(kubeconfig: Path, found: Found, number: signal.Signals) -> None:
    """Send a signal to the process that serves, and to no other that got its id in the meantime. Raises ProcessLookupError."""
    process = os.pidfd_open(found.pid)
    try:
        now = running(kubeconfig)
        if now is None or now.pid != found.pid:
            raise ProcessLookupError("it has ended")
        signal.pidfd_send_signal(process, number)
    finally:
        os.close(process)


def _wait(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the sandbox did not answer within {PATIENCE:g} s")
        time.sleep(0.02)

"""Which process serves the cluster that a kubeconfig names, so that `down` and `reset` find it.

A lock file beside the kubeconfig holds its process id and how often it was reset. The lock is the proof that the process is the
one that wrote the id: it goes with the process, however that ends.
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

PATIENCE = 15.0
"""Seconds that a running sandbox has to do what it was told."""
STOP, INTERRUPT, RESET = signal.SIGTERM, signal.SIGINT, signal.SIGUSR1


@dataclass(slots=True)
class Instance:
    """This process, as others find it."""

    lock: int
    resets: int = 0

    def note_reset(self) -> None:
        """Tell that the cluster is as new."""
        self.resets += 1
        self.write()

    def write(self) -> None:
        """Put what others read into the file: in one write of always the same length, so that nobody reads a half of it."""
        os.pwrite(self.lock, f"{os.getpid():>20} {self.resets:>20}\n".encode(), 0)


@dataclass(frozen=True, slots=True)
class Found:
    """A process that serves."""

    pid: int
    resets: int


Tell = Callable[[Path, Found], None]


def lock_of(kubeconfig: Path) -> Path:
    """The lock file of a kubeconfig."""
    return kubeconfig.with_name(f".{kubeconfig.name}.lock")


@contextmanager
def held(kubeconfig: Path) -> Iterator[Instance]:
    """Serve this kubeconfig. Raises BlockingIOError where another process does."""
    lock = os.open(lock_of(kubeconfig), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _claim(lock, kubeconfig)
        instance = Instance(lock)
        instance.write()
        yield instance
    finally:
        os.close(lock)


def _claim(lock: int, kubeconfig: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BlockingIOError(f"a sandbox runs for {kubeconfig} already; end it with `gitopsd sandbox down`") from error


def running(kubeconfig: Path) -> Found | None:
    """Who serves this kubeconfig now; None for nobody."""
    try:
        with lock_of(kubeconfig).open(encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                pid, resets = lock.read().split()
                return Found(int(pid), int(resets))
    except (FileNotFoundError, ValueError):
        return None
    return None


def stop(kubeconfig: Path, found: Found) -> None:
    """End the process, and wait until it is gone. Raises TimeoutError."""
    os.kill(found.pid, STOP)
    _wait(lambda: running(kubeconfig) is None)


def reset(kubeconfig: Path, found: Found) -> None:
    """Have the process forget its cluster, and wait until it did. Raises TimeoutError."""
    os.kill(found.pid, RESET)
    _wait(lambda: (now := running(kubeconfig)) is None or now.resets != found.resets)


def _wait(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the sandbox did not answer within {PATIENCE:g} s")
        time.sleep(0.02)

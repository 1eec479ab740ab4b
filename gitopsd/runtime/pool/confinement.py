"""What a worker process takes from itself before it touches any content: priority, memory, time, dumps, new rights.

It is set inside the worker, not between fork and exec: code there would run in a copy of the daemon with its locks held.
Memory is limited by RLIMIT_DATA, which counts what the process could write to privately, so that mapped libraries and the
store's mapped files cost nothing. Each job has its own soft limit; the hard limits stay, since a soft limit must rise again.
"""

from __future__ import annotations

import ctypes
import os
import resource

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_SIGKILL = 9
_MARGIN = 5
"""Seconds of processor time beyond the wall-clock limit: the daemon's kill comes first, this one if it cannot."""


def enter(parent: int, nice: int) -> None:
    """Confine this process, and end it when its parent, the process `parent`, ends. Linux only."""
    os.nice(nice)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((_PR_SET_PDEATHSIG, _SIGKILL), (_PR_SET_DUMPABLE, 0), (_PR_SET_NO_NEW_PRIVS, 1)):
        if libc.prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
    if os.getppid() != parent:  # it ended before it was asked to take us along
        raise SystemExit(0)


def limit(memory: int, seconds: int) -> None:
    """Limits of the next job: bytes of private memory, seconds of processor time from now on."""
    _soft(resource.RLIMIT_DATA, memory)
    used = resource.getrusage(resource.RUSAGE_SELF)
    _soft(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + seconds + _MARGIN)


def lift() -> None:
    """No limit of memory: for the answer about a job that reached it."""
    _soft(resource.RLIMIT_DATA, resource.RLIM_INFINITY)


def held() -> int:
    """The memory that this process holds now, in bytes. Not `ru_maxrss`: that begins with what the daemon had held."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def _soft(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY and (value == resource.RLIM_INFINITY or value > hard):
        value = hard
    resource.setrlimit(kind, (value, hard))

"""The worker process: confine yourself, then run one job after the other until the daemon closes the pipe.

It knows the frames and nothing of what jobs do. Standard output is not its channel: what a library prints must not end up
between two frames, so that the pipes are moved away first.
"""

from __future__ import annotations

import gc
import os
import sys
import traceback
from typing import Any, BinaryIO

from gitopsd.model.errors import GitopsdError
from gitopsd.runtime.pool import confinement, jobs, protocol, raised
from gitopsd.runtime.pool.protocol import Broke, Done, FrameError, Job, OutOfMemory, Reply, Setup

MAX_TRACE = 20_000
_COLLECT = (50_000, 20, 20)
"""New containers before a look for cycles, and so on: a job makes many objects, keeps them, and is done. With Python's own
numbers these looks take a quarter of a fetch of 100,000 files [measured]."""


def main(parent: int, nice: int) -> None:
    """Serve the daemon with the process id `parent`, at this much lower priority, until it closes the pipe."""
    confinement.enter(parent, nice)
    reader, writer = _pipes()
    setup = _receive(reader)
    if not isinstance(setup, Setup):
        raise SystemExit("the first message must be the set-up")
    jobs.preload(setup.preload, setup.packages)
    gc.freeze()
    gc.set_threshold(*_COLLECT)
    intake: Any = None
    while isinstance(job := _receive(reader), Job):
        confinement.limit(job.memory, job.seconds)
        try:
            if intake is None and setup.opener:
                intake = jobs.load(setup.opener, setup.packages)(setup.argument)
            answer = protocol.encode(_result(job, setup, intake))
        except Exception as error:  # noqa: BLE001 - whatever it is, the daemon hears of it and this process serves on
            answer = protocol.encode(_failure(error))
        writer.write(answer)
        writer.flush()
        del answer, job
        confinement.lift()  # the next job must be received before its own limit is known


def _result(job: Job, setup: Setup, intake: Any) -> Reply:
    value = jobs.load(job.name, setup.packages)(job.payload, intake)
    if not isinstance(value, bytes):
        raise TypeError(f"{job.name} returned {type(value).__name__}, not bytes")
    return Done(value, confinement.held())


def _failure(error: Exception) -> Reply:
    confinement.lift()
    match error:
        case MemoryError():
            return OutOfMemory()
        case GitopsdError():
            return raised.pack(error)
        case FrameError():
            return raised.pack(GitopsdError(str(error)))
    return Broke("".join(traceback.format_exception(error))[-MAX_TRACE:])


def _pipes() -> tuple[BinaryIO, BinaryIO]:
    """The daemon's pipes, moved away from standard input and output; what is printed goes to standard error."""
    reader, writer = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdin = None
    return reader, writer


def _receive(reader: BinaryIO) -> protocol.Request | None:
    header = reader.read(protocol.HEADER)
    if len(header) < protocol.HEADER:
        return None
    return protocol.request(reader.read(protocol.size(header)))

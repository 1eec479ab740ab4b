"""A process beside a worker, for what would otherwise wait: it is told what to do, and asked later what came of it.

Two threads of one process take turns at the interpreter, so that they win nothing over one [measured]. It is a worker like
any other: the same frames, the same confinement, and it ends when its parent does. What is large goes through files in memory
that both have open, so that neither waits until the other has read it.
"""

from __future__ import annotations

import mmap
import os
import subprocess
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import BinaryIO, cast

import msgspec

from gitopsd.model.errors import Transient
from gitopsd.runtime.pool import answers, command, protocol
from gitopsd.runtime.pool.answers import EndedError
from gitopsd.runtime.pool.protocol import Job, Setup

AHEAD = 2
"""Jobs that may be unanswered."""


class _Place(msgspec.Struct, frozen=True, array_like=True):
    """Where the bytes of a job are, or of its answer: a file that both processes have open under this number, and how many."""

    file: int
    size: int


class Beside:
    """A started process, as a context manager. Not shared between threads."""

    def __init__(self, setup: Setup, memory: int, seconds: int) -> None:
        """Start it, in a thread that lives as long as it shall: it ends with that one. Raises `Transient`.

        `memory` (bytes) and `seconds` (of a processor) are the limits of each job.
        """
        self._setup = setup
        self._limits = memory, seconds
        self._waiting: deque[Job] = deque()
        with ExitStack() as opened:
            try:
                files = [opened.enter_context(os.fdopen(os.memfd_create("gitopsd"), "w+b")) for _ in range(AHEAD)]
                self._child = subprocess.Popen(
                    command.line(nice=0),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=command.ENVIRONMENT,
                    cwd="/",
                    pass_fds=[file.fileno() for file in files],
                )
            except OSError as error:
                raise Transient(f"no worker process can be started: {error.strerror}") from error
            self._opened = opened.pop_all()
        self._files = deque(files)
        self._to, self._from = cast("BinaryIO", self._child.stdin), cast("BinaryIO", self._child.stdout)
        self._send(protocol.encode(setup))

    def __enter__(self) -> Beside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait until it has done what it was told; answers that nobody asked for are lost."""
        with suppress(BrokenPipeError):  # what it did not take before it ended
            self._to.close()
        self._child.wait()
        self._from.close()
        self._opened.close()

    def do(self, name: str, payload: bytes) -> None:
        """Have it run this job; at most `AHEAD` may be unanswered."""
        assert len(self._waiting) < AHEAD
        file = self._files[0]
        self._files.rotate(-1)
        _leave(file, payload)
        place = msgspec.msgpack.encode(_Place(file.fileno(), len(payload)))
        job = Job(name, place, *self._limits)
        self._send(protocol.encode(job))
        self._waiting.append(job)

    def answer(self) -> bytes:
        """What the oldest job that is unanswered returns. Raises as `answers` says."""
        job = self._waiting.popleft()
        try:
            reply = protocol.reply(self._read(protocol.size(self._read(protocol.HEADER))))
        except EndedError as error:
            raise answers.ended(error, job) from error
        place = _places.decode(answers.value(job, reply, self._setup.packages))
        return os.pread(place.file, place.size, 0)

    def _send(self, frame: bytes) -> None:
        with suppress(BrokenPipeError):  # it ended: why shows when its answer is read
            self._to.write(frame)
            self._to.flush()

    def _read(self, size: int) -> bytes:
        found = self._from.read(size)
        if len(found) < size:
            code = self._child.wait()
            raise EndedError(-code if code < 0 else None, "")
        return found


def work(place: bytes, task: Callable[[mmap.mmap], bytes]) -> bytes:
    """In the process beside: what a job does with its bytes; what comes of it is left where they were."""
    where = _places.decode(place)
    with mmap.mmap(where.file, where.size, access=mmap.ACCESS_READ) as found:
        value = task(found)
    with open(where.file, "wb", closefd=False) as file:
        _leave(file, value)
    return msgspec.msgpack.encode(_Place(where.file, len(value)))


def _leave(file: BinaryIO, value: bytes) -> None:
    file.seek(0)
    file.write(value)
    file.flush()


_places = msgspec.msgpack.Decoder(_Place)

"""CPU-bound work in spawned, killable, niced worker processes: the `Work` of a plugin's `Context`.

At most `count` processes run; an idle one is used again, the last used first, so that the others age and give their memory
back. Whoever is cancelled or timed out leaves no work behind: the process is killed, for nothing else ends pure-Python work
that does not want to end. Each process lives in the task group of whoever owns this.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup

from gitopsd.model.errors import Rejected, Transient
from gitopsd.runtime.pool import answers, jobs
from gitopsd.runtime.pool.answers import EndedError
from gitopsd.runtime.pool.process import Process
from gitopsd.runtime.pool.protocol import Done, FrameError, Job, OutOfMemory, Reply, Setup

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """Settings of the worker processes. Sizes in bytes, times in seconds."""

    count: int = 2
    memory: int = 1 << 30
    """What one job may hold, unless it says otherwise."""
    nice: int = 10
    idle: float = 60.0
    """An idle process ends after this."""
    max_jobs: int = 500
    """A process is replaced after so many."""
    retain: int = 256 << 20
    """A process that still holds more after a job is replaced."""


class WorkerPool:
    """Implements `Work`. `opener` ("module:function") gets `argument` in the worker and returns the jobs' intake."""

    def __init__(
        self,
        tasks: TaskGroup,
        settings: Processes,
        *,
        packages: Collection[str],
        log: FilteringBoundLogger,
        opener: str = "",
        argument: str = "",
        preload: Collection[str] = (),
    ) -> None:
        self._tasks = tasks
        self._settings = settings
        self._setup = Setup(tuple(sorted(packages)), opener, argument, tuple(preload))
        self._log = log
        self._limiter = anyio.CapacityLimiter(settings.count)
        self._all: set[Process] = set()
        self._idle: list[Process] = []
        self._starting = anyio.Lock()
        """Held while a process is started, so that whoever comes meanwhile finds the one that `warm` starts."""
        self._closed = False

    async def run(self, job: str, payload: bytes, *, timeout: float, memory: int = 0) -> bytes:
        """Run `module:function` on `payload` in a worker; see `Work.run`.

        The time-out begins when the job does, not while it waits for a free process. Raises ValueError for a job that is
        not in the packages, `WorkerFailed` for a bug, `Transient` when no process can be started.
        """
        jobs.check(job, self._setup.packages)
        request = Job(job, payload, memory or self._settings.memory, math.ceil(timeout))
        async with self._limiter:
            process = await self._take()
            reply = await self._ask(process, request, timeout)
            self._put_back(process, reply)
        return answers.value(request, reply, self._setup.packages)

    async def warm(self) -> None:
        """Have one process ready, so that the first job need not wait for it."""
        async with self._limiter:
            with suppress(Transient):  # the first job tries again, and says what is wrong
                process = await self._take()
                process.idle_since = anyio.current_time()
                self._idle.append(process)

    @property
    def running(self) -> int:
        """How many worker processes there are, idle ones included."""
        return len(self._all)

    def close(self) -> None:
        """Kill all processes and start no more; their tasks end by themselves."""
        self._closed = True
        for process in self._all:
            process.kill()

    async def _take(self) -> Process:
        async with self._starting:
            while self._idle:
                process = self._idle.pop()
                process.idle_since = None
                if process.alive:
                    return process
            return await self._start()

    async def _start(self) -> Process:
        if self._closed:
            raise Transient("worker processes are being stopped")
        try:
            process = await Process.start(self._setup, self._settings.nice)
        except OSError as error:
            raise Transient(f"no worker process can be started: {error.strerror}") from error
        self._all.add(process)
        self._tasks.start_soon(self._attend, process, name="worker process")
        return process

    async def _ask(self, process: Process, job: Job, timeout: float) -> Reply:
        """The answer; without one the process is dead."""
        answered = False
        try:
            with anyio.fail_after(timeout):
                reply = await process.ask(job)
            answered = True
        except TimeoutError as error:
            raise Rejected(f"{job.name} took longer than its limit of {timeout:g} s and was stopped") from error
        except EndedError as error:
            raise answers.ended(error, job) from error
        except FrameError as error:
            raise Rejected(f"{job.name}: its answer cannot be used: {error}") from error
        finally:
            if not answered:
                process.kill()
        return reply

    def _put_back(self, process: Process, reply: Reply) -> None:
        worn = process.jobs >= self._settings.max_jobs or isinstance(reply, OutOfMemory)
        large = isinstance(reply, Done) and reply.held > self._settings.retain
        if worn or large or self._closed:
            process.kill()
        else:
            process.idle_since = anyio.current_time()
            self._idle.append(process)

    async def _attend(self, process: Process) -> None:
        """One process's whole life, next to the jobs that it runs."""
        try:
            async with anyio.create_task_group() as life:
                life.start_soon(self._expire, process)
                await process.attend()
                life.cancel_scope.cancel()
        finally:
            self._all.discard(process)
            if process in self._idle:
                self._idle.remove(process)
            if process.said:
                self._log.warning("worker process said", text=process.said)

    async def _expire(self, process: Process) -> None:
        """Kill it when it has been idle for too long."""
        while True:
            since = process.idle_since
            rest = self._settings.idle if since is None else since + self._settings.idle - anyio.current_time()
            if rest <= 0:
                process.kill()
                return
            await anyio.sleep(rest)

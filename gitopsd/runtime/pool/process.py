"""One worker process as the daemon sees it: started, asked one thing at a time, killed.

A process, since pure-Python work in a thread stops the event loop for as long as the interpreter likes, and cannot be
ended. Spawned, never forked: a fork would copy locks, connections and secrets of the daemon.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress

import anyio
from anyio.abc import Process as Child
from anyio.streams.buffered import BufferedByteReceiveStream

from gitopsd.runtime.pool import command, protocol
from gitopsd.runtime.pool.answers import EndedError
from gitopsd.runtime.pool.protocol import Job, Reply, Setup

MAX_SAID = 16_384
"""Bytes of its standard error that are kept, the last ones."""


class Process:
    """A started worker. One task calls `attend` for its whole life; one at a time calls `ask`."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._handle = _handle(child.pid)
        self._killed = False
        self._said = bytearray()
        self._reached_end = anyio.Event()
        assert child.stdout is not None  # as opened below
        self._answers = BufferedByteReceiveStream(child.stdout)
        self.jobs = 0
        self.idle_since: float | None = None

    @classmethod
    async def start(cls, setup: Setup, nice: int) -> Process:
        """Spawn one and tell it what it is for. Raises OSError when the machine cannot."""
        child = await anyio.open_process(
            command.line(nice),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=command.ENVIRONMENT,
            cwd="/",
            start_new_session=True,  # an interrupt at the terminal is for the daemon, which then ends its workers
        )
        assert child.stdin is not None  # as opened above
        with suppress(
            anyio.BrokenResourceError, anyio.ClosedResourceError
        ):  # it ended already: the first job tells why
            await child.stdin.send(protocol.encode(setup))
        return cls(child)

    @property
    def alive(self) -> bool:
        """False once it was killed or has ended."""
        return not self._killed and self._child.returncode is None

    @property
    def said(self) -> str:
        """The end of what it wrote to standard error."""
        return self._said.decode("utf-8", "replace").strip()

    def kill(self) -> None:
        """End it now, whatever it does."""
        self._killed = True
        # By handle: `send_signal` of the standard library may reap the process and with it the signal that ended it, and a
        # bare pid may be somebody else's by now.
        if self._handle is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    async def ask(self, job: Job) -> Reply:
        """Its answer to one job. Raises `EndedError`, and `FrameError` when it does not speak as it should."""
        self.jobs += 1
        assert self._child.stdin is not None  # as opened above
        try:
            await self._child.stdin.send(protocol.encode(job))
            header = await self._answers.receive_exactly(protocol.HEADER)
            return protocol.reply(await self._answers.receive_exactly(protocol.size(header)))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.IncompleteRead, anyio.EndOfStream) as error:
            code = await self._child.wait()
            await self._reached_end.wait()
            raise EndedError(-code if code < 0 else None, self.said) from error

    async def attend(self) -> None:
        """Listen to its standard error until it ends, then let go of everything it holds."""
        try:
            await self._listen()
        finally:
            self._reached_end.set()
            self.kill()
            with anyio.CancelScope(shield=True):  # it was killed: this takes as long as the system needs to say so
                await self._child.aclose()
            self._release()

    def _release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    async def _listen(self) -> None:
        assert self._child.stderr is not None  # as opened above
        async for chunk in self._child.stderr:
            self._said += chunk
            del self._said[:-MAX_SAID]


def _handle(pid: int) -> int | None:
    """A descriptor of the process; None when it has ended and gone already."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None

"""The process in which rules in CEL are judged: nothing else bounds the memory and the time of one evaluation.

A rule may double a text forty times, or give a regular expression without end; the library bounds iterations only. So the process
has limits of its own (`expression_job.py`), one that overruns them ends, and the next question starts another. It runs our own
interpreter with our own code; of what is asked nothing becomes an argument or a variable of its environment. It is asked without an
await, as all of the sandbox answers, and keeps nothing between questions: that is why there is one for all clusters.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
from contextlib import suppress
from functools import lru_cache

_PROGRAM = (
    "import sys; sys.path[:] = {path!r}; from gitopsd_plugins.sandbox.definitions.expression_job import main; main()"
)
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "2"}
HEADER = 8
"""Bytes of the length, most significant first, before each question and each answer."""


BROKEN = 1
"""How Python ends by an error that nobody expects."""
OVERRUN = 75
"""How it ends when it has met a limit without being killed."""


class Ended(Exception):  # noqa: N818 - says what it did
    """The process ended instead of answering: the question needs more memory or time than there is for one."""


class Process:
    """It runs from the first question on. May be asked from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        atexit.register(self.end)

    def start(self) -> None:
        """Have it run before the first question, since that takes a while. Raises OSError when the machine cannot."""
        with self._lock:
            self._running()

    def ask(self, question: bytes) -> bytes:
        """The answer to a question. Raises `Ended`, OSError when the machine can start none, RuntimeError for a bug."""
        with self._lock:
            child = self._running()
            try:
                return _asked(child, question)
            except (EOFError, BrokenPipeError):
                code = child.wait()
                self._end()
                if code == BROKEN:
                    raise RuntimeError(
                        "the process that judges rules in CEL could not be started or has a bug"
                    ) from None
                raise Ended from None

    def end(self) -> None:
        """End it; it starts again with the next question."""
        with self._lock:
            self._end()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is not None:
            self._end()
        if self._child is None:
            path = [entry for entry in sys.path if os.path.isabs(entry)]
            self._child = subprocess.Popen(
                [sys.executable, "-I", "-c", _PROGRAM.format(path=path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_ENVIRONMENT,
                cwd="/",
                start_new_session=True,  # an interrupt at the terminal is for the sandbox, which then ends it
            )
        return self._child

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()
            with suppress(BrokenPipeError):  # a question that was never read
                self._child.communicate()
            self._child = None


def _asked(child: subprocess.Popen[bytes], question: bytes) -> bytes:
    assert child.stdin is not None  # as opened above
    assert child.stdout is not None
    child.stdin.write(len(question).to_bytes(HEADER, "big") + question)
    child.stdin.flush()
    length = child.stdout.read(HEADER)
    answer = child.stdout.read(int.from_bytes(length, "big"))
    if len(length) < HEADER or len(answer) < int.from_bytes(length, "big"):
        raise EOFError
    return answer


@lru_cache(maxsize=1)
def process() -> Process:
    """The one of this program."""
    return Process()

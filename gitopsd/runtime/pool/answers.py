"""What the answer of a worker process, or its end without one, means to who asked: a value, or an error."""

from __future__ import annotations

from collections.abc import Collection
from signal import Signals

from gitopsd.model.errors import Rejected
from gitopsd.runtime.pool import raised
from gitopsd.runtime.pool.protocol import Broke, Done, Job, OutOfMemory, Raised, Reply


class WorkerFailed(RuntimeError):  # noqa: N818 - the name is the state, as in gitopsd's error tree
    """A job or its process broke in a way that nobody foresaw: a bug. The message holds the worker's traceback."""


class EndedError(Exception):
    """The process ended instead of answering. `signal` is the number of what killed it, or None; `said` its last words."""

    def __init__(self, signal_number: int | None, said: str) -> None:
        super().__init__(said)
        self.signal = signal_number
        self.said = said


def value(job: Job, reply: Reply, packages: Collection[str]) -> bytes:
    """What the job returned. Raises what it raised, `Rejected` when it needed too much memory, `WorkerFailed` for a bug."""
    match reply:
        case Done(value=found):
            return found
        case Raised():
            raise raised.unpack(reply, packages)
        case OutOfMemory():
            raise Rejected(f"{job.name} needed more than its limit of {job.memory >> 20} MiB of memory and was stopped")
        case Broke(trace=trace):
            raise WorkerFailed(f"{job.name} failed in a worker process:\n{trace}")


def ended(error: EndedError, job: Job) -> Exception:
    """The error of a job whose process ended."""
    match error.signal:
        case None:
            return WorkerFailed(f"{job.name}: the worker process ended by itself:\n{error.said}")
        case Signals.SIGXCPU:
            return Rejected(f"{job.name} used more than its limit of {job.seconds} s of processor time and was stopped")
        case Signals.SIGKILL:
            return Rejected(f"{job.name}: its worker process was killed; was the machine, or its unit, out of memory?")
    return Rejected(f"{job.name}: its worker process crashed ({Signals(error.signal).name})")

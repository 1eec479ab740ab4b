"""What the worker processes of the tests run; found through `sys.path`, as any plugin's package is."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from gitopsd.model.errors import Misconfigured, Transient
from gitopsd.plugin.tree import Content


class SpecialError(Misconfigured):
    """Takes other arguments than its base."""

    def __init__(self, *, place: tuple[str | int, ...]) -> None:
        super().__init__(f"no good at {place}", reason="SpecialReason")
        self.place = place
        self.unsendable = object()


def echo(payload: bytes, intake: Any) -> bytes:
    return payload


def pid(payload: bytes, intake: Any) -> bytes:
    return str(os.getpid()).encode()


def loaded(payload: bytes, intake: Any) -> bytes:
    return " ".join(sys.modules).encode()


def open_intake(argument: str) -> str:
    return f"intake of {argument}"


def name_intake(payload: bytes, intake: Any) -> bytes:
    return str(intake).encode()


def read_blob(payload: bytes, intake: Any) -> bytes:
    content: bytes = intake.blob(payload.decode())
    return content


def surroundings(payload: bytes, intake: Any) -> bytes:
    dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)
    core = resource.getrlimit(resource.RLIMIT_CORE)[0]
    return repr((sorted(os.environ), os.getpriority(os.PRIO_PROCESS, 0), dumpable, core, os.getcwd())).encode()


def forever(payload: bytes, intake: Any) -> bytes:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if payload:
        with open(payload, "w") as file:
            file.write(str(os.getpid()))
    while True:
        pass


def hoard(payload: bytes, intake: Any) -> bytes:
    kept = []
    while True:
        kept.append(bytearray(8 << 20))


KEPT: list[bytearray] = []


def keep_much(payload: bytes, intake: Any) -> bytes:
    KEPT.append(bytearray(b"x") * (100 << 20))
    return str(os.getpid()).encode()


def crash(payload: bytes, intake: Any) -> bytes:
    os.kill(os.getpid(), signal.SIGSEGV)
    return b""


def leave(payload: bytes, intake: Any) -> bytes:
    sys.stderr.write("goodbye\n")
    sys.stderr.flush()
    os._exit(3)


def stall(payload: bytes, intake: Any) -> bytes:
    raise SpecialError(place=("spec", 0))


def be_told_to_wait(payload: bytes, intake: Any) -> bytes:
    raise Transient("busy", retry_after=7.5)


def bug(payload: bytes, intake: Any) -> bytes:
    raise ZeroDivisionError("one of ours")


def chat(payload: bytes, intake: Any) -> bytes:
    print("on standard output")  # noqa: T201 - what a library may do
    sys.stderr.write("x" * 100_000)
    return b"said"


def wrong_type(payload: bytes, intake: Any) -> Any:
    return "text"


def too_large(payload: bytes, intake: Any) -> bytes:
    return bytes((256 << 20) + 1)


def add_without_end(payload: bytes, intake: Any) -> bytes:
    """Add so much that another process writes it, say into the pipe that the payload names which one, and go on."""

    def contents() -> Iterator[Content]:
        numbers = count()
        for number in numbers:
            yield Content(data=b"%d" % number)
            if number % 1000 == 0 and (started := Path("/proc/thread-self/children").read_text()):
                Path(payload.decode()).write_text(started)
                break
        for number in numbers:
            yield Content(data=b"%d" % number)

    intake.add(contents())
    return b""

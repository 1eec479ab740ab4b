"""What the daemon and a worker process say to each other: MessagePack in frames with a length, over two pipes. No pickle.

A worker reads content from strangers, so that its answers are data only: nothing in them names code to run.
"""

from __future__ import annotations

import msgspec

HEADER = 4
"""Bytes of a frame's length, big-endian."""

MAX_FRAME = 256 << 20
"""No job and no answer is larger; a bound so that a broken worker cannot fill the daemon's memory."""


class Setup(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The first frame: which packages jobs may come from, and how the worker opens the store ('' for no store).

    `preload` are modules that jobs are going to need; they are imported while nothing else is asked for.
    """

    packages: tuple[str, ...]
    opener: str
    argument: str
    preload: tuple[str, ...] = ()


class Job(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Run `name` ("module:function") on `payload`, within so many bytes of memory and seconds of processor time."""

    name: str
    payload: bytes
    memory: int
    seconds: int


class Done(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The job's result. `held` is the memory that the process has after it, in bytes."""

    value: bytes
    held: int


class Raised(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """An error of gitopsd's tree: its classes from the most special one up ("module:Name"), message, and plain attributes."""

    classes: tuple[str, ...]
    message: str
    attributes: dict[str, str | int | float | bool | list[str | int] | None]


class Broke(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Any other exception: a bug."""

    trace: str


class OutOfMemory(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The memory limit was reached; the process is of no use any more."""


Request = Setup | Job
Reply = Done | Raised | Broke | OutOfMemory

_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


class FrameError(Exception):
    """A frame that is too large or does not decode."""


def encode(message: Request | Reply) -> bytes:
    """The message as one frame. Raises `FrameError` when it is too large."""
    body = msgspec.msgpack.encode(message)
    if len(body) > MAX_FRAME:
        raise FrameError(f"{len(body)} bytes are more than the {MAX_FRAME} that fit into a message")
    return len(body).to_bytes(HEADER, "big") + body


def size(header: bytes) -> int:
    """How many bytes follow a header. Raises `FrameError` when they are too many."""
    length = int.from_bytes(header, "big")
    if length > MAX_FRAME:
        raise FrameError(f"a message of {length} bytes was announced, {MAX_FRAME} fit")
    return length


def request(body: bytes) -> Request:
    """Read a frame's body. Raises `FrameError`."""
    try:
        return _requests.decode(body)
    except msgspec.MsgspecError as error:
        raise FrameError(str(error)) from error


def reply(body: bytes) -> Reply:
    """Read a frame's body. Raises `FrameError`."""
    try:
        return _replies.decode(body)
    except msgspec.MsgspecError as error:
        raise FrameError(str(error)) from error

"""The bytes inside a compressed stream, in order and within limits: gzip, zstd, or not compressed at all.

What it is shows in its first bytes. Nothing is whole in memory: a piece comes in, at most a piece goes out, and a stream that
grows beyond all reason is given up before it is read to its end.
"""

from __future__ import annotations

import zlib
from importlib import import_module
from typing import Any, BinaryIO, Protocol

from gitopsd.model.errors import Rejected

PIECE = 256 << 10
GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
SLACK = 16 << 20
"""What may come out before the ratio counts: a small stream of blanks harms nobody."""
ZSTD_MODULES = ("compression.zstd", "backports.zstd")
WINDOW = 27
"""The largest window that zstd may ask for, as a power of two: 128 MiB, its own default."""


class ArchiveError(Rejected):
    """An archive that cannot be read, or holds what no source may bring. The message says what and where."""

    default_reason = "ArchiveOperationFailed"


class Decoder(Protocol):
    """One compressed member."""

    eof: bool
    unused_data: bytes
    needs_input: bool

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """At most so many bytes of what is inside."""
        ...


class Expanded:
    """Reads `stream`. At most `total` bytes come out, and at most `ratio` times what went in."""

    def __init__(self, stream: BinaryIO, *, total: int, ratio: int) -> None:
        self._stream = stream
        self._total = total
        self._ratio = ratio
        first = stream.read(PIECE)
        self._decoder = _decoder(first)
        self._pending = first
        self._in, self._out = len(first), 0
        self._ended = False
        self._ready = bytearray()

    def read(self, size: int) -> bytes:
        """Exactly so many bytes; fewer only at the end."""
        while len(self._ready) < size and not self._ended:
            self._ready += self._more()
        found = bytes(self._ready[:size])
        del self._ready[:size]
        return found

    def drain(self) -> None:
        """Read to the end, so that what the format says about its own soundness is checked."""
        while not self._ended:
            self._more()

    def _more(self) -> bytes:
        found = self._plain() if self._decoder is None else self._decoded(self._decoder)
        self._out += len(found)
        if self._out > self._total:
            raise ArchiveError(f"holds more than {self._total >> 20} MiB; pack less, or split it")
        if self._out > SLACK and self._out > self._ratio * self._in:
            raise ArchiveError(f"grows to more than {self._ratio} times its size when it is expanded; compress it less")
        return found

    def _plain(self) -> bytes:
        found, self._pending = self._pending or self._next(), b""
        self._ended = not found
        return found

    def _decoded(self, decoder: Decoder) -> bytes:
        if decoder.eof:
            self._follow(decoder.unused_data)
            return b""
        given = self._pending
        if not given and decoder.needs_input:
            given = self._next()
            if not given:
                raise ArchiveError("ends in the middle; it was cut off")
        self._pending = b""
        try:
            return decoder.decompress(given, PIECE)
        except _errors() as error:
            raise ArchiveError(f"is damaged: {error}") from error

    def _follow(self, rest: bytes) -> None:
        """Another member may follow the one that ended; zeros are padding."""
        while not (rest := rest.lstrip(b"\0")):
            if not (rest := self._next()):
                self._ended = True
                return
        if len(rest) < len(ZSTD):
            rest += self._next()
        self._decoder = _decoder(rest)
        if self._decoder is None:
            raise ArchiveError("is followed by something else after its end")
        self._pending = rest

    def _next(self) -> bytes:
        found = self._stream.read(PIECE)
        self._in += len(found)
        return found


class _Gzip:
    """zlib's decompressor in the words of the newer ones."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)
        self._full = False

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail and not self._full

    def decompress(self, data: bytes, max_length: int) -> bytes:
        found = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        self._full = len(found) == max_length  # there may be more inside although all input was taken
        return found


def _decoder(first: bytes) -> Decoder | None:
    if first.startswith(GZIP):
        return _Gzip()  # type: ignore[return-value]  # its attributes are read only, as they are used
    if first.startswith(ZSTD):
        zstd = _zstd()
        if zstd is None:
            raise ArchiveError(
                "is compressed with zstd, which needs the extra [zstd]: pip install 'gitopsd[zstd]', or push it as gzip"
            )
        found: Decoder = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW})
        return found
    return None


def _zstd() -> Any:
    """Python's own module where there is one, else the same from the extra."""
    for name in ZSTD_MODULES:
        try:
            return import_module(name)
        except ImportError:
            continue
    return None


def _errors() -> tuple[type[Exception], ...]:
    """How decompressors say that a stream is damaged."""
    zstd = _zstd()
    return (zlib.error,) if zstd is None else (zlib.error, zstd.ZstdError)

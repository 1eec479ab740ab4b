"""Cuts a stream of bytes into lines, with a bound on each: a watch event can be large, but not endless. Pure."""

from __future__ import annotations

from collections.abc import Iterator

LONGEST = 8 * 1024 * 1024


class LineTooLong(ValueError):  # noqa: N818 - the name is the state
    """A line without an end within the bound."""


class Splitter:
    """Feed it pieces as they come; it yields whole lines without their line ends. Empty lines are dropped."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._pending: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The lines that this piece completes. Raises `LineTooLong`."""
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            line = self._taken(piece[start:end])
            start = end + 1
            if line:
                yield line
        self._keep(piece[start:])

    def _taken(self, rest: bytes) -> bytes:
        self._keep(rest)
        line = b"".join(self._pending)
        self._pending.clear()
        self._size = 0
        return line.rstrip(b"\r")

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._longest:
            raise LineTooLong(f"a line of over {self._longest} bytes")
        if piece:
            self._pending.append(piece)

"""Reads an index in JSON chart by chart: at most one chart's text is in memory."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from gitopsd_plugins.helm import entries
from gitopsd_plugins.helm.entries import Entry, malformed

PIECE = 1 << 18
MAX_VALUE = 24 << 20
"""Characters of one chart's versions; the largest of public repositories have two million."""

_BLANKS = " \t\r\n"


def charts(stream: BinaryIO) -> Iterator[tuple[str, list[Entry]]]:
    """Name and versions of each chart. Raises `Rejected` for what is no index."""
    text = _Text(stream)
    known = False
    for key in text.members():
        if key != "entries":
            value = text.value()
            known = known or (key == "apiVersion" and bool(value))
            continue
        if text.peek() != "{":
            if text.value() is not None:
                raise malformed("its entries are no object")
            continue
        for name in text.members():
            versions = text.value()
            found = map(entries.entry, versions if isinstance(versions, list) else ())
            yield name, [entry for entry in found if entry is not None]
    if not known:
        raise malformed("it has no apiVersion")


class _Text:
    """The text from where it was read to."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8")()
        self._json = json.JSONDecoder()
        self._buffer = ""
        self._at = 0
        self._ended = False

    def peek(self) -> str:
        """The next character that is no blank; '' at the end."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in _BLANKS:
                self._at += 1
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._more():
                return ""

    def members(self) -> Iterator[str]:
        """The keys of the object that begins here; the caller takes each value."""
        self._take("{")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            key = self.value()
            if not isinstance(key, str):
                raise malformed("a key that is no text")
            self._take(":")
            yield key
            if self.peek() == "}":
                self._at += 1
                return
            self._take(",")

    def value(self) -> Any:
        """The whole value that begins here."""
        self.peek()
        while True:
            try:
                found, end = self._json.raw_decode(self._buffer, self._at)
            except RecursionError as error:
                raise malformed("it is nested too deep") from error
            except ValueError as error:
                if len(self._buffer) - self._at > MAX_VALUE:
                    raise malformed(
                        f"the versions of one chart have more than {MAX_VALUE >> 20} MiB; remove old ones"
                    ) from error
                if not self._more():
                    raise malformed("it is no JSON, or was cut off") from error
                continue
            if end == len(self._buffer) and self._more():
                continue  # a number may go on in the next piece
            self._at = end
            return found

    def _take(self, wanted: str) -> None:
        if self.peek() != wanted:
            raise malformed(f"it is no JSON: {wanted!r} is missing")
        self._at += 1

    def _more(self) -> bool:
        """Read on, as much again as waits already, so that no text is looked at many times over."""
        if self._ended:
            return False
        self._buffer, self._at = self._buffer[self._at :], 0
        data = self._stream.read(max(PIECE, len(self._buffer)))
        self._ended = not data
        try:
            self._buffer += self._decode.decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            raise malformed("it is not UTF-8") from error
        return True

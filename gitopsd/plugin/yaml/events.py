"""The parser's events, and its errors in our words.

libyaml is used through `CParser.get_event` alone: its composer recurses in C, and 100,000 brackets would end the whole
process. Where PyYAML was built without libyaml the pure parser gives the same events, some fifteen times slower.
Nothing is known here of what the events mean.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import BinaryIO

from yaml import SafeLoader
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import Event, ScalarEvent

from gitopsd.plugin.yaml.errors import YamlError

NextEvent = Callable[[], Event | None]
"""Returns the next event of a stream, None after the last."""

_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_UNREADABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SAVE = "save the file as UTF-8"
_ESCAPE = 'write it as an escape in double quotes, as "\\x07"'
_REMEDIES = {
    "found character that cannot start any token": "quote a value that starts with @, ` or %; indent with spaces, not tabs",
    "mapping values are not allowed in this context": "quote a value that holds a colon and a space, or mend the indentation",
    "exceeded maximum nesting depth": "nest less",  # newer parsers have a limit of their own, and look far ahead
    "found a tab character where an indentation space is expected": "indent with spaces, not tabs",
}


def place(event: Event) -> tuple[int, int]:
    """Return the line and column, from 1, at which the event begins."""
    mark = event.start_mark
    assert mark is not None  # only events that a program makes up have none
    return mark.line + 1, mark.column + 1


def encoded(data: bytes | str, file: str) -> bytes:
    """Return the text as bytes; half a surrogate pair, which no encoding has, is refused."""
    if isinstance(data, bytes):
        return data
    try:
        return data.encode()
    except UnicodeEncodeError as error:
        what = f"character U+{ord(data[error.start]):04X} is half of a pair"
        raise _unreadable(what, _SAVE, data[: error.start], file) from error


def source(data: bytes | BinaryIO) -> NextEvent:
    """Start a parser over `data` (UTF-8, or UTF-16 with its mark) and return its events one by one; a file is read in pieces."""
    try:
        from yaml._yaml import CParser
    except ImportError:
        return SafeLoader(data).get_event
    return CParser(data).get_event


def translate(error: YAMLError, data: bytes, file: str) -> YamlError:
    """Say in our words and with a position what the parser refused in `data`."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if not isinstance(error, MarkedYAMLError) or mark is None:
        return _encoding(data, file)
    what = error.problem or error.context or "this is no YAML"
    if error.context and error.problem:
        what = f"{what} {error.context}"
    remedy = _REMEDIES.get(error.problem or "", "check quotes, brackets and indentation from here upwards")
    return YamlError(what, remedy=remedy, line=mark.line + 1, column=mark.column + 1, file=file)


def _encoding(data: bytes, file: str) -> YamlError:
    """Find the byte or character that the parser could not read; it reports its place in too many ways."""
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, "replace")
        return _unreadable(f"byte 0x{data[error.start]:02X} is not {encoding.upper()}", _SAVE, before, file)
    found = _UNREADABLE.search(text)
    what = f"control character U+{ord(found[0]):04X}" if found else "a character that YAML does not allow"
    return _unreadable(what, _ESCAPE, text[: found.start()] if found else text, file)


def _unreadable(what: str, remedy: str, before: str, file: str) -> YamlError:
    """Say what cannot be read, right after the text `before`."""
    lines = _BREAK.split(before.removeprefix("\ufeff"))
    return YamlError(what, remedy=remedy, line=len(lines), column=len(lines[-1]) + 1, file=file)


def is_empty(root: Event) -> bool:
    """Tell whether a document that begins with `root` says nothing: only comments, or only `---`."""
    return isinstance(root, ScalarEvent) and root.value == "" and root.implicit[0] and root.tag is None

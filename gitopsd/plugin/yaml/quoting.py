"""How a text is spelled so that it reads back as itself: plain, quoted or as a block.

The choices are those of Go's emitter, which kubectl and kustomize print with: plain where nothing could take it for
something else, double quotes for what another type would claim, single quotes for what the grammar would, a literal
block for several lines. A text that any YAML reader, 1.1 or 1.2, would take for a number, date, boolean or null is
quoted, whatever our own reader says. Where Go's choice does not read back (Unicode's line separators) double quotes are
used instead.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from gitopsd.plugin.yaml import scalars

_SPACED = r"\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd"
_SIMPLE = re.compile(r"[A-Za-z_/$~(\\^][A-Za-z0-9_./$~()\\^=,:;@%+{}\[\]\"'*&!|<>?-]*(?<!:)")
_PRINTED = re.compile(f"[{_SPACED}]*")
_BLOCK = re.compile(f"[{_SPACED}\n]*")
_INDICATORS: Final = frozenset("#,[]{}&*!|>'\"%@` ")
MARKS: Final = ("=", "<<")
_OTHERS = re.compile(
    r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"  # base 60, as YAML 1.1 has it
    r"|[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9_]+|[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?0(?:b[01_]+|o?[0-7_]+|x[0-9a-fA-F_]+)"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}.*)?"
)
_ESCAPED = re.compile(f'[^{_SPACED}]|[\\\\"]')
_ANY = re.compile(".", re.DOTALL)
_MARK: Final = "\ufeff"
_ESCAPES: Final = {
    "\0": "0", "\a": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r", "\x1b": "e",
    '"': '"', "\\": "\\", "\x85": "N", "\u2028": "L", "\u2029": "P",
}  # fmt: skip


def inline(text: str) -> str:
    """Return the text as a scalar on one line."""
    if _SIMPLE.fullmatch(text):
        return f'"{text}"' if text in scalars.WORDS else text
    if not _PRINTED.fullmatch(text):
        return _double(text)
    if _claimed(text):
        return _double(text)
    return text if _plain(text) else "'" + text.replace("'", "''") + "'"


@lru_cache(maxsize=4096)
def name(text: str) -> str:
    """Do as `inline` for a map's key, and remember it: the same few names make up all manifests, and none is secret."""
    return inline(text)


def block(text: str, indent: str) -> str | None:
    """Return a text of several lines as a literal block indented by `indent`; None where it must be quoted.

    The block begins with its header and has no line break at its end, as the lines around it bring their own.
    """
    if " \n" in text or text[-1] == " " or not _BLOCK.fullmatch(text):
        return None
    hint = "2" if text[0] in " \n" else ""
    body = text.rstrip("\n")
    if not body:
        return None
    kept = len(text) - len(body)
    header = f"|{hint}{'-' if not kept else '' if kept == 1 else '+'}"
    lines = [f"{indent}{line}" if line else "" for line in body.split("\n")]
    return "\n".join([header, *lines, *[""] * (kept - 1)])


def _claimed(text: str) -> bool:
    """Tell whether some YAML reader would take the plain text for another type."""
    if text in scalars.WORDS or text in MARKS:
        return True
    return text[0] in scalars.NUMERIC and (type(scalars.number(text)) is not str or bool(_OTHERS.fullmatch(text)))


def _plain(text: str) -> bool:
    """Tell whether the grammar takes the printable text as it is."""
    if text[0] in _INDICATORS or text.startswith(("---", "...")):
        return False
    if text[0] in "-?:" and text[1:2] in ("", " "):
        return False
    return text[-1] not in " :" and ": " not in text and " #" not in text


def _double(text: str) -> str:
    """Return the text in double quotes, with an escape for what cannot be seen.

    Behind a byte order mark at its beginning that is everything: Go takes each character for one then.
    """
    return '"' + (_ANY if text.startswith(_MARK) else _ESCAPED).sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    """Spell one character as an escape, as Go does beyond the basic plane too."""
    character = match[0]
    if character in _ESCAPES:
        return "\\" + _ESCAPES[character]
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        raise ValueError(f"character U+{code:04X} is half of a pair and cannot be written")
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"

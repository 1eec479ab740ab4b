"""What kustomize's way of writing does to long lines, to folded texts and to the order of keys.

It reads a folded block (`>`), writes it folded again on its way to JSON, and its emitter puts a blank line too many
where a line that is indented more follows: the text that kustomize prints is not quite the one in the file. And what it
prints is broken at the first blank past column 80, its keys in an order of their own: numbers inside by value, other
signs before letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cmp_to_key, lru_cache
from typing import Final

WIDTH: Final = 80
_RUNS = re.compile(r"(\n+)")
_BLANK: Final = (" ", "\t")
_SIMPLE_KEYS = re.compile(r"[A-Za-z]*")
_LEAD = re.compile(r" *(?:- )*")
_KEY = re.compile(r'(?:"(?:[^"\\]|\\.)*"|\'(?:[^\']|\'\')*\'|[^"\'\s](?:[^:]|:(?! ))*): ')


def folded_again(text: str) -> str:
    """The text of a folded block as kustomize leaves it."""
    if "\n" not in text or " \n" in text or text[-1] == " " or not text.strip("\n"):
        return text
    parts = _RUNS.split(text)
    extra = not text.lstrip("\n").startswith(_BLANK)
    for at in range(1, len(parts), 2):
        before, after = parts[at - 1], parts[at + 1]
        indented = before.startswith(_BLANK)
        written = len(parts[at]) + (1 if before and not indented and extra else 0)
        if at + 2 == len(parts) and not after:
            parts[at] = "\n" * (1 if len(parts[at]) == 1 else written)
        elif before and not indented and not after.startswith(_BLANK):
            parts[at] = "\n" * (written - 1) or " "
        elif before:
            parts[at] = "\n" * written
    return "".join(parts)


def sorted_keys(keys: Iterable[str]) -> tuple[str, ...]:
    """The keys of a map in the order in which Go's emitter writes them."""
    found = tuple(keys)
    if _SIMPLE_KEYS.fullmatch("".join(found)):
        return tuple(sorted(found))
    return _sorted(found)


@lru_cache(maxsize=4096)
def _sorted(keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(keys, key=cmp_to_key(_compared)))


def _compared(one: str, other: str) -> int:
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if at is None:
        return len(one) - len(other)
    a, b = one[at], other[at]
    if a.isalpha() or b.isalpha():
        return ord(a) - ord(b) if a.isalpha() and b.isalpha() else 1 if a.isalpha() else -1
    (first, width), (second, breadth) = _number(one, at, (a, b)), _number(other, at, (a, b))
    return (first - second) or (width - breadth) or ord(a) - ord(b)


def _number(text: str, at: int, differing: tuple[str, str]) -> tuple[int, int]:
    """The number that starts at a place, and how long it is; zeros count where digits stand before them."""
    end = at
    while end < len(text) and text[end].isdecimal():
        end += 1
    before = at
    while before and text[before - 1].isdecimal():
        before -= 1
    led = "0" in differing and text[before:at].strip("0") != ""
    return int(f"{'1' if led else '0'}{text[at:end]}"), end - at


def wrapped(line: str, width: int = WIDTH) -> str:
    """A written line, broken where kustomize breaks it; blocks and what has no blank past `width` stay."""
    if len(line) <= width or "\n" in line or " " not in line[width:]:
        return line
    lead = _LEAD.match(line)
    assert lead is not None  # it matches nothing at all, too
    start, indent = lead.end(), lead.end()
    if key := _KEY.match(line, start):
        start, indent = key.end(), start + 2
    return line[:start] + _broken(line[start:], start, " " * indent, width)


def _broken(value: str, column: int, indent: str, width: int) -> str:
    """The value with line breaks in place of some blanks; in double quotes a second blank is kept by a backslash."""
    double, quoted = value[0] == '"', value[0] in "\"'"
    written: list[str] = []
    edge = 1 if quoted else 0
    for at, character in enumerate(value):
        follows = value[at + 1 : at + 2] == " "
        inside = edge < at < len(value) - 1 - edge
        if character == " " and column > width and inside and value[at - 1] != " " and (double or not follows):
            written.append("\n" + indent + ("\\" if follows else ""))
            column = len(indent) + follows
        else:
            written.append(character)
            column += 1
    return "".join(written)

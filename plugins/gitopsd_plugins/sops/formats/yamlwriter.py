"""Writes branches as YAML byte for byte as SOPS does: four blanks a level, lists further in than their key."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from gitopsd.plugin.yaml import quoting
from gitopsd_plugins.sops.cipher import decimal
from gitopsd_plugins.sops.document import Branch, Comment, Moment

_STEP = 4
_IN_LIST = 2
_PLAIN = (-4, 6)
"""Powers of ten without an exponent."""


def document(branch: Branch) -> str:
    """One document."""
    return "".join(f"{line}\n" for line in _mapping(branch, 0)) if any(branch.named()) else _empty(branch)


def _empty(branch: Branch) -> str:
    return "".join(f"#{key.text}\n" for key, _ in branch if isinstance(key, Comment)) + "{}\n"


def _deeper(indent: int) -> int:
    return (indent + _STEP) // _STEP * _STEP


def _mapping(branch: Branch, indent: int) -> Iterator[str]:
    margin = " " * indent
    behind = ""
    for key, value in branch:
        if isinstance(key, Comment):
            if key.inline:
                behind = f" #{key.text}"
            else:
                yield f"{margin}#{key.text}"
            continue
        yield from _entry(f"{margin}{quoting.inline(key)}:", value, indent, behind)
        behind = ""


def _entry(lead: str, value: Any, indent: int, behind: str) -> Iterator[str]:
    inner = _deeper(indent)
    if isinstance(value, Branch) and any(value.named()):
        yield lead
        yield from _mapping(value, inner)
    elif isinstance(value, list) and _filled(value):
        yield lead
        yield from _sequence(value, inner)
    else:
        yield f"{lead} {_scalar(value, inner)}{behind}"


def _sequence(items: list[Any], indent: int) -> Iterator[str]:
    margin, inner = " " * indent, indent + _IN_LIST
    behind = ""
    for item in items:
        if isinstance(item, Comment):
            if item.inline:
                behind = f" #{item.text}"
            else:
                yield f"{margin}#{item.text}"
            continue
        if isinstance(item, Branch) and any(item.named()):
            yield from _dashed(_mapping(item, inner), margin)
        elif isinstance(item, list) and _filled(item):
            yield from _dashed(_sequence(item, inner), margin)
        else:
            yield f"{margin}- {_scalar(item, inner)}{behind}"
        behind = ""


def _dashed(lines: Iterator[str], margin: str) -> Iterator[str]:
    """A list or map in a list begins on the line of its dash; comments before its first entry stay above."""
    begun = False
    for line in lines:
        if begun or line.lstrip().startswith("#"):
            yield line
        else:
            yield f"{margin}- {line[len(margin) + _IN_LIST :]}"
            begun = True


def _filled(items: list[Any]) -> bool:
    return any(not isinstance(item, Comment) for item in items)


def _scalar(value: Any, indent: int) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Moment():
            return str(value)
        case str():
            return _text(value, indent)
        case float():
            return _float(value)
        case Branch():
            return "{}"
        case list():
            return "[]"
    return str(value)


def _text(text: str, indent: int) -> str:
    if "\n" in text and (block := quoting.block(text, " " * indent)) is not None:
        return f"|{_STEP}{block[2:]}" if block.startswith("|2") else block
    return quoting.inline(text)


def _float(value: float) -> str:
    """As Go's shortest form: an exponent, of two digits at least, from a million on and below a ten thousandth."""
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    _, digits, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)  # of a finite number
    power = len(digits) - 1 + exponent
    if value == 0 or _PLAIN[0] <= power < _PLAIN[1]:
        return decimal(value)
    first, rest = digits[0], "".join(map(str, digits[1:])).rstrip("0")
    mantissa = f"{first}.{rest}" if rest else str(first)
    return f"{'-' * (value < 0)}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"

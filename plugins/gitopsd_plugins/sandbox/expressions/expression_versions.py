"""Semantic versions in rules in CEL: read, compared by their precedence, taken apart.

A version is a map with one key to CEL, as other values of their own (`expression_functions.py`). What is built of it does not count.
"""

from __future__ import annotations

import re
from typing import Any

_STRICT = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?"
    r"(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)
_NUMBERS = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(.*)")

Value = dict[str, str]


def made(text: str, normalize: bool = False) -> Value:
    """The version; `normalize` takes a leading `v`, leading zeros, and two numbers or one. Raises ValueError."""
    wanted = _normalized(text) if normalize else text
    if _STRICT.fullmatch(wanted) is None:
        raise ValueError(f"Semver String parse error during conversion from string: {text!r} is no semantic version")
    return {"semver": wanted}


def _normalized(text: str) -> str:
    if (found := _NUMBERS.fullmatch(text)) is None:
        return text
    return ".".join(str(int(number or 0)) for number in found.groups()[:3]) + found[4]


def is_one(text: str, normalize: bool = False) -> bool:
    """Whether a text is a version."""
    try:
        made(text, normalize)
    except ValueError:
        return False
    return True


def number(value: Value, index: int) -> int:
    """The major (0), minor (1) or patch number (2)."""
    return int(_parts(value)[index])


def _parts(value: Value) -> tuple[Any, ...]:
    found = _STRICT.fullmatch(value["semver"])
    assert found is not None  # as it was made
    return found.groups()


def compared(value: Value, other: Value) -> int:
    """-1, 0 or 1."""
    left, right = _rank(value), _rank(other)
    return (left > right) - (left < right)


def _rank(value: Value) -> tuple[Any, ...]:
    *numbers, before, _ = _parts(value)
    words = [(0, int(each), "") if each.isdigit() else (1, 0, each) for each in before.split(".")] if before else []
    return (*map(int, numbers), not words, words)

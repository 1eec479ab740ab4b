"""What a plain scalar means: exactly what Go's sigs.k8s.io/yaml (go.yaml.in/yaml/v2) makes of it.

Those rules are neither YAML 1.1 nor 1.2: `yes`, `on` and `y` are booleans, 0644 and 0o17 octal, `1_000` and `1e3`
numbers, while 12:30:45 and dates stay text. They are written here as one table of words and a few expressions,
because every manifest in the world was tested against that resolver and no Python library has it.

Two things differ on purpose. Integers past 64 bits keep all their digits where Go rounds them to a float, as JSON has
no width. A whole float stays a float (`1.0`); Go drops the fraction when it writes JSON.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final, TypeAlias

Scalar: TypeAlias = str | int | float | bool | None

WORDS: Final[Mapping[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
}
"""The texts that are a boolean or null; no other text outside `NUMERIC` is anything but itself."""

FEWER_WORDS: Final[Mapping[str, bool | None]] = {
    text: value for text, value in WORDS.items() if value is None or text.lower() in ("true", "false")
}
"""The same for go-yaml v3, which follows YAML 1.2 here."""

NUMERIC: Final = frozenset("0123456789+-.")
"""The first characters of every text that may be a number."""

_NOT_FINITE = {
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_BASED = re.compile(r"([-+]?)0(?:[xX]([0-9a-fA-F]+)|[bB]([01]+)|[oO]?([0-7]+))")
_BINARY_SIGN_INSIDE = re.compile(r"0b([-+][01]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_FRACTION = re.compile(r"\.[0-9](?:_?[0-9])*(?:[eE][-+]?[0-9](?:_?[0-9])*)?")
_FLOAT_DIGITS = 300  # an integer with fewer digits is a finite float


def number(text: str) -> int | float | str:
    """Return the number that a text whose first character is in `NUMERIC` stands for, or the text when it is none."""
    if _DECIMAL.fullmatch(text):
        return _decimal(text)
    if text in _NOT_FINITE:
        return _NOT_FINITE[text]
    if text[0] == ".":
        return _finite(text, text) if _FRACTION.fullmatch(text) else text
    return _spelled(text, text.replace("_", ""))


def _spelled(text: str, plain: str) -> int | float | str:
    """Resolve the less usual spellings: underscores, other bases, fractions and exponents."""
    if _DECIMAL.fullmatch(plain):
        return _decimal(plain, text)
    if (based := _BASED.fullmatch(plain)) and (value := _based(based)) is not None:
        return value
    if _FLOAT.fullmatch(plain):
        return _finite(plain, text)
    if inside := _BINARY_SIGN_INSIDE.fullmatch(plain):
        return int(inside[1], 2)
    return text


def _decimal(digits: str, text: str | None = None) -> int | str:
    """Return the exact integer; past the range of a float Go sees no number, so it stays text."""
    if len(digits) > _FLOAT_DIGITS and math.isinf(float(digits)):
        return text or digits
    return int(digits)


def _based(match: re.Match[str]) -> int | None:
    """Return a hexadecimal, binary or octal integer, or None past 64 bits, where Go tries the next rule."""
    sign, hexadecimal, binary, octal = match.groups()
    base = 16 if hexadecimal else 2 if binary else 8
    value = int(f"{sign}{hexadecimal or binary or octal}", base)
    return value if -(2**63) <= value < (2**63 if sign else 2**64) else None


def _finite(plain: str, text: str) -> float | str:
    """Return the float, or the text when it is beyond a float's range, as Go does."""
    value = float(plain)
    return text if math.isinf(value) else value

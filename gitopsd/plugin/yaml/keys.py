"""What a key becomes: JSON has only text keys, so Go spells booleans and numbers as text, in a way of its own.

A float key is shortened to what a 32-bit float can tell apart, with an exponent from a million on (`1e+06`). That is
an accident of Go's library, and the name by which the rest of the world knows the field.
"""

from __future__ import annotations

import math
import struct
from decimal import Decimal

from gitopsd.plugin.yaml.scalars import Scalar


def text(key: Scalar) -> str:
    """Return the text of a key; null is refused with a ValueError, as it has none."""
    if isinstance(key, str):
        return key
    if key is None:
        raise ValueError("a key is null")
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key) if isinstance(key, int) else _float_text(key)


def _float_text(value: float) -> str:
    """Spell a float as Go's `FormatFloat(value, 'g', -1, 32)` and YAML's words for what is not finite."""
    short = _shortest(value)
    if math.isnan(short):
        return ".nan"
    if math.isinf(short):
        return ".inf" if short > 0 else "-.inf"
    sign, digits, exponent = Decimal(repr(short)).normalize().as_tuple()
    assert isinstance(exponent, int)  # only infinity and NaN have a letter there
    return ("-" if sign else "") + _spell("".join(map(str, digits)), len(digits) + exponent)


def _shortest(value: float) -> float:
    """Return the number with the fewest digits that is the same 32-bit float as `value`."""
    if not math.isfinite(value):
        return value
    try:
        single = struct.pack("<f", value)
    except OverflowError:
        return math.copysign(math.inf, value)
    candidates = (float(f"{value:.{digits}g}") for digits in range(1, 10))
    return next((found for found in candidates if struct.pack("<f", found) == single), value)


def _spell(digits: str, point: int) -> str:
    """Spell `digits` with the decimal point after the first `point` of them."""
    if digits == "0":
        return "0"
    if not -4 <= point - 1 < 6:
        mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
        return f"{mantissa}e{point - 1:+03d}"
    if point <= 0:
        return f"0.{'0' * -point}{digits}"
    return digits.ljust(point, "0") if point >= len(digits) else f"{digits[:point]}.{digits[point:]}"

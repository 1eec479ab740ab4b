"""Kubernetes quantities in canonical form: `1000m` is `1`, `1024Mi` is `1Gi`, `0.5` is `500m`.

The API server rewrites quantities when it reads them, so an applier that compares text sees the canonical form.
"""

from __future__ import annotations

import re
from decimal import Decimal

_PATTERN = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?\d{1,3})?$")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def amount(text: str) -> Decimal:
    """The value of a quantity. Raises ValueError for what is no quantity."""
    number, suffix = _parts(text)
    if suffix in _BINARY and suffix:
        return number * Decimal(1024) ** _BINARY.index(suffix)
    return number.scaleb(_DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:]))


def canonical(text: str) -> str:
    """The canonical spelling. Raises ValueError for what is no quantity."""
    number, suffix = _parts(text)
    if suffix in _BINARY and suffix:
        return _binary(number * 1024 ** _BINARY.index(suffix))
    if suffix in _DECIMAL:
        return _decimal(number.scaleb(_DECIMAL[suffix]))
    return _exponent(number.scaleb(int(suffix[1:])))


def _parts(text: str) -> tuple[Decimal, str]:
    match = _PATTERN.match(text)
    if match is None or len(text) > 64:
        raise ValueError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
    return Decimal(match[1]), match[2] or ""


def _binary(value: Decimal) -> str:
    if value != value.to_integral_value() or abs(value) < 1024:
        return _decimal(value)
    whole, index = int(value), 0
    while index < len(_BINARY) - 1 and whole % 1024 == 0 and whole:
        whole, index = whole // 1024, index + 1
    return f"{whole}{_BINARY[index]}"


def _decimal(value: Decimal) -> str:
    whole, suffix = _scaled(value)
    return f"{whole}{ {power: name for name, power in _DECIMAL.items()}[suffix] }"


def _exponent(value: Decimal) -> str:
    whole, power = _scaled(value)
    return f"{whole}e{power}" if power else str(whole)


def _scaled(value: Decimal) -> tuple[int, int]:
    """The value as a whole number times a power of 1000 from 10^-9 (rounded up) to 10^18."""
    power = -9
    scaled = value.scaleb(9)
    whole = int(scaled.to_integral_value(rounding="ROUND_UP"))
    while whole and power < 18 and whole % 1000 == 0:
        whole, power = whole // 1000, power + 3
    return whole, power if whole else 0

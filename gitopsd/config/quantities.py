"""Durations and sizes as users write them: `1h30m`, `512Mi`. Values of settings; the core sees a timedelta and an int."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import msgspec

from gitopsd.plugin import SpecError, spec

_SIZE = re.compile(r"^([0-9]+)(Ki|Mi|Gi)?$")
_FACTORS = {None: 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
_UNITS = ((3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms"))


class Duration(timedelta):
    """A length of time, written as in Go."""

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read `30s`, `5m`, `1h30m`. Raises ValueError, worded for the user."""
        try:
            return cls(seconds=spec.duration(text).total_seconds())
        except SpecError as error:
            raise ValueError(str(error)) from error

    def __str__(self) -> str:
        rest, text = round(self.total_seconds() * 1000), ""
        for length, unit in _UNITS:
            count, rest = divmod(rest, length)
            text += f"{count}{unit}" if count else ""
        return text or "0s"


class Size(int):
    """A number of bytes, written plain or with Ki, Mi, Gi."""

    @classmethod
    def parse(cls, text: str) -> Size:
        """Read `1048576`, `512Mi`, `2Gi`. Raises ValueError, worded for the user."""
        found = _SIZE.match(text)
        if found is None:
            raise ValueError(f"{text!r} is not a size; write it as 512Mi or 2Gi")
        return cls(int(found.group(1)) * _FACTORS[found.group(2)])

    def __str__(self) -> str:
        unit = next((u for u in ("Gi", "Mi", "Ki") if self and not int(self) % _FACTORS[u]), None)
        return f"{int(self) // _FACTORS[unit]}{unit or ''}"


def duration(text: str) -> Duration:
    """The default of a setting that is a length of time."""
    return msgspec.field(default_factory=lambda: Duration.parse(text))


def size(text: str) -> Size:
    """The default of a setting that is a size."""
    return msgspec.field(default_factory=lambda: Size.parse(text))


def decode(kind: Any, value: Any) -> Any:
    """The hook by which `spec.decode` reads these types."""
    if kind is Size and isinstance(value, int) and not isinstance(value, bool):
        return Size.parse(str(value))
    if not isinstance(value, str):
        raise ValueError(f"Expected a {kind.__name__.lower()} such as {_EXAMPLES[kind]}, got `{type(value).__name__}`")
    parsed: Duration | Size = kind.parse(value)
    return parsed


def schema(kind: Any) -> dict[str, Any]:
    """The hook by which JSON Schema is made of these types."""
    if kind is Duration:
        return {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"}
    return {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": _SIZE.pattern}]}


_EXAMPLES = {Duration: "5m", Size: "512Mi"}

"""Dates and times as Go's YAML knows them, and as its JSON prints them."""

from __future__ import annotations

import re
from datetime import datetime

_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:[Tt]([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(\.[0-9]{1,9})?(Z|[-+][0-9]{2}:[0-9]{2})"
    r"| ([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(\.[0-9]{1,9})?)?"
)


def canonical(text: str) -> str | None:
    """Return the time in RFC 3339 (`2024-1-2` is `2024-01-02T00:00:00Z`), or None when the text is no time."""
    found = _TIMESTAMP.fullmatch(text)
    if not found:
        return None
    year, month, day, *rest = found.groups()
    hour, minute, second, fraction = rest[5:] if rest[0] is None else rest[:4]
    try:
        moment = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))
    except ValueError:
        return None
    digits = (fraction or "").rstrip("0").rstrip(".")
    zone = "Z" if rest[4] in (None, "+00:00", "-00:00") else rest[4]
    return f"{moment.isoformat()}{digits}{zone}"

"""Times as Go reads them: what is wrong with one that is no RFC 3339."""

from __future__ import annotations

import re
from datetime import datetime

_LAYOUT = "2006-01-02T15:04:05Z07:00"
_PIECES = tuple(
    (re.compile(pattern), layout)
    for pattern, layout in (
        (r"\d{4}", "2006"),
        ("-", "-"),
        (r"\d\d", "01"),
        ("-", "-"),
        (r"\d\d", "02"),
        ("T", "T"),
        (r"\d\d?", "15"),
        (":", ":"),
        (r"\d\d", "04"),
        (":", ":"),
        (r"\d\d(?:[.,]\d+)?", "05"),
        (r"Z|[+-]\d\d:\d\d", "Z07:00"),
    )
)
_USUAL = len("2006-01-02T15:04:05Z")
_RANGES = {"01": ("month", 12), "02": ("day", 31), "15": ("hour", 23), "04": ("minute", 59), "05": ("second", 59)}


def wrong(text: str) -> str:
    """Why a text is no time; empty where it is one."""
    if len(text) == _USUAL and text[10] == "T" and text[-1] == "Z":  # nearly all
        try:
            datetime.fromisoformat(text)
        except ValueError:
            return _wrong(text)
        return ""
    return _wrong(text)


def _wrong(text: str) -> str:
    at, day = 0, ""
    for pattern, layout in _PIECES:
        found = pattern.match(text, at)
        if found is None:
            return f'parsing time "{text}" as "{_LAYOUT}": cannot parse "{text[at:]}" as "{layout}"'
        what, most = _RANGES.get(layout, ("", 0))
        if what and (int(found[0][:2]) > most or (what == "month" and int(found[0]) == 0)):
            return f'parsing time "{text}": {what} out of range'
        at = found.end()
        day = text[:at] if layout == "02" else day
    if at < len(text):
        return f'parsing time "{text}": extra text: "{text[at:]}"'
    return "" if _is_day(day) else f'parsing time "{text}": day out of range'


def _is_day(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True

"""When a CronJob runs: whether a schedule of five fields, or a word for one, can be read, in the words of the API server's parser."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

_WORDS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_DURATION = re.compile(r"[+-]?(0|(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+")


class _Field(Struct, frozen=True):
    """One field: its bounds, and the words that stand for numbers."""

    least: int
    most: int
    words: dict[str, int]


def _numbered(words: str, first: int) -> dict[str, int]:
    return {word: index for index, word in enumerate(words.split(), first)}


_FIELDS = (
    _Field(0, 59, {}),
    _Field(0, 23, {}),
    _Field(1, 31, {}),
    _Field(1, 12, _numbered("jan feb mar apr may jun jul aug sep oct nov dec", 1)),
    _Field(0, 6, _numbered("sun mon tue wed thu fri sat", 0)),
)


def wrong(schedule: str) -> str:
    """Why a schedule cannot be read; empty where it can."""
    text = schedule
    if text.startswith(("TZ=", "CRON_TZ=")):
        text = text.partition(" ")[2].strip()
    try:
        _read(text)
    except ValueError as error:
        return str(error)
    return ""


def _read(text: str) -> None:
    if text.startswith("@"):
        _word(text)
        return
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise ValueError(f"expected exactly 5 fields, found {len(parts)}: [{' '.join(parts)}]")
    for part, field in zip(parts, _FIELDS, strict=True):
        for each in part.split(","):
            if each:
                _range(each, field)


def _word(text: str) -> None:
    if text.startswith("@every "):
        duration = text.removeprefix("@every ")
        if not _DURATION.fullmatch(duration):
            raise ValueError(f'failed to parse duration {text}: time: invalid duration "{duration}"')
    elif text not in _WORDS:
        raise ValueError(f"unrecognized descriptor: {text}")


def _range(text: str, field: _Field) -> None:
    span, *steps = text.split("/")
    low, *high = span.split("-")
    if low in ("*", "?"):
        start, end = field.least, field.most
    else:
        start = _number(low, field)
        if len(high) > 1:
            raise ValueError(f"too many hyphens: {text}")
        end = _number(high[0], field) if high else start
    if len(steps) > 1:
        raise ValueError(f"too many slashes: {text}")
    step = _number(steps[0], _Field(0, 0, {})) if steps else 1
    _check(start, field.most if steps and not high else end, step, field, text)


def _check(start: int, end: int, step: int, field: _Field, text: str) -> None:
    if start < field.least:
        raise ValueError(f"beginning of range ({start}) below minimum ({field.least}): {text}")
    if end > field.most:
        raise ValueError(f"end of range ({end}) above maximum ({field.most}): {text}")
    if start > end:
        raise ValueError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise ValueError(f"step of range should be a positive number: {text}")


def _number(text: str, field: _Field) -> int:
    if (word := field.words.get(text.lower())) is not None:
        return word
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise ValueError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    if (number := int(text)) < 0:
        raise ValueError(f"negative number ({number}) not allowed: {text}")
    return number


def wrong_zone(zone: str) -> str:
    """Why there is no such time zone; empty where there is one, and where this machine knows none at all."""
    if not zone:
        return "timeZone must be nil or non-empty string"
    if zone.lower() == "local":
        return "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
    known = _zones()
    return "" if not known or zone in known else f"unknown time zone {zone}"


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    import zoneinfo  # here, because few clusters have CronJobs, and a sandbox should start soon

    return frozenset(zoneinfo.available_timezones())

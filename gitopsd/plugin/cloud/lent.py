"""What clouds lend."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gitopsd.model.errors import Rejected
from gitopsd.plugin.sources import access

LONGEST = timedelta(days=2)
"""Nobody is believed who says that his token lives longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token and when it ends."""

    value: str = field(repr=False)
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Keys for signing requests to AWS, and when they end. `token` is sent along; '' for keys that need none."""

    access: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)
    until: datetime


def lasting(now: datetime, seconds: object, what: str) -> datetime:
    """When something ends that lives for so many seconds, given as a number or text. Raises `Rejected` for anything else."""
    text = str(seconds)
    if isinstance(seconds, int | str) and text.isascii() and text.isdigit() and len(text) < 10:
        return now + min(timedelta(seconds=int(text)), LONGEST)
    raise Rejected(f"{what} does not say how long its token lives", reason=access.FAILED)


def ending(now: datetime, text: object, what: str) -> datetime:
    """When something ends that names the time itself (RFC 3339). Raises `Rejected` for what is no time."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Rejected(f"{what} does not say until when its credentials are good", reason=access.FAILED)
    return min(found, now + LONGEST)

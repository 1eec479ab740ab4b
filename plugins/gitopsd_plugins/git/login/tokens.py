"""Tokens kept until shortly before they expire, for one process. Nothing of it is written anywhere."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio

from gitopsd.plugin import Digest

MARGIN = timedelta(minutes=5)
"""A token that is about to expire is asked for anew: a fetch must not outlive it."""
MAX_KEPT = 100
"""As many as Flux keeps by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token and the time when it ends."""

    value: str = field(repr=False)
    expires: datetime


class Tokens:
    """One token per key; the key digests all that it was asked for with, so that new credentials get a new token."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Digest, Token] = OrderedDict()
        self._asking = anyio.Lock()

    async def get(self, key: Digest, now: datetime, ask: Callable[[], Awaitable[Token]]) -> str:
        """The token, asked for where none is kept that lasts."""
        async with self._asking:  # many objects that begin at once ask once
            kept = self._kept.get(key)
            if kept is None or kept.expires - MARGIN <= now:
                self._kept[key] = kept = await ask()
                self._kept.move_to_end(key)
                if len(self._kept) > MAX_KEPT:
                    self._kept.popitem(last=False)
            return kept.value

    def forget(self, key: Digest) -> bool:
        """Drop a token that was refused; False where none was kept."""
        return self._kept.pop(key, None) is not None

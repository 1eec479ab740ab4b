"""How long to stay away after failures, and the jitter that keeps many objects from acting in the same moment. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

_DOUBLINGS = 40
"""More of them could overflow, and any sensible `most` is reached long before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Doubles from `first` to at most `most` seconds. The defaults are Flux's (`--min-` and `--max-retry-delay`)."""

    first: float = 0.75
    most: float = 900.0

    def delay(self, failures: int) -> float:
        """Seconds to wait after this many failures in a row (1 or more)."""
        return min(self.first * 2.0 ** min(max(failures - 1, 0), _DOUBLINGS), self.most)


def jittered(seconds: float, share: float, rng: Random) -> float:
    """`seconds`, moved at random by at most `share` of it in either direction."""
    return seconds * (1 + rng.uniform(-share, share))

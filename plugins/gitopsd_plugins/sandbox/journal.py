"""What was asked of the server: one bounded list of requests, so that a test can say "no DELETE was sent"."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from msgspec import Struct, field

KEPT = 100_000


class Request(Struct, frozen=True, kw_only=True, gc=False):
    """One request as it came in, before it was answered."""

    method: str
    path: str
    query: Mapping[str, str]
    user: str
    agent: str


class Journal(Struct):
    """The last requests, and how many there ever were."""

    entries: deque[Request] = field(default_factory=lambda: deque(maxlen=KEPT))
    total: int = 0

    def add(self, request: Request) -> None:
        """Note a request."""
        self.entries.append(request)
        self.total += 1

    def requests(self, method: str = "*", path: str = "") -> list[Request]:
        """Those with this method whose path starts with `path`."""
        return [each for each in self.entries if method in ("*", each.method) and each.path.startswith(path)]

    def clear(self) -> None:
        """Start a new count."""
        self.entries.clear()
        self.total = 0

"""How many may do the same thing at once. A step takes a slot for a single piece of work and never holds one while it waits.

Requests to one target have their own limit, in the sink.
"""

from __future__ import annotations

from dataclasses import dataclass

from anyio import CapacityLimiter


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Slots, used as `async with limits.fetch: ...`. Made inside the event loop."""

    fetch: CapacityLimiter
    """Sources that are resolved or fetched at once."""
    render: CapacityLimiter
    """Renders under way, the inputs of waiting ones included."""
    apply: CapacityLimiter
    """Apps that write at once."""

    @classmethod
    def of(cls, *, fetch: int = 8, render: int = 4, apply: int = 16) -> Limits:
        """These many slots each."""
        return cls(fetch=CapacityLimiter(fetch), render=CapacityLimiter(render), apply=CapacityLimiter(apply))

"""What an engine is made of: the composition root puts it together, a plan exchanges some of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from gitopsd.model.declared import Decryption
from gitopsd.model.outcome import Outcome
from gitopsd.plugin.context import Context
from gitopsd.plugin.registry import Registry
from gitopsd.reconcile.world import Limits, Mirror, Safety, Slots, Trust
from gitopsd.runtime.live.clusters import Connect
from gitopsd.runtime.live.lookups import Lookups
from gitopsd.runtime.live.watches import Watches
from gitopsd.runtime.schedule.due import Pace
from gitopsd.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What an engine is made of."""

    registry: Registry
    store: Store
    ctx: Context
    safety: Safety
    limits: Limits
    slots: Slots
    additive_ready: bool
    decryption: Decryption = field(default_factory=Decryption)
    trust: Trust = field(default_factory=Trust)
    mirror: Mirror
    watches: Watches | None
    lookups: Lookups | None
    connect: Connect
    pace: Pace
    rng: Random
    actor: str
    """Who is named in the ledger for what nobody asked for by hand."""
    on_outcome: Callable[[Outcome], None]
    """Hears of every outcome, for logs and progress displays."""
    resume: bool = False
    """Sources that an earlier run asked a moment ago begin with what is stored, and are asked when they are due."""
    persist: bool = True
    """Statuses and the ledger are written down; what a plan comes to is no news of the object."""

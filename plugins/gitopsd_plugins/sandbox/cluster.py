"""The state of one sandbox cluster: resources, objects, rules of access, addresses, clock. No HTTP.

`Cluster` only holds; reads are in `reads.py`, writes in `creation.py`, `writes.py` and `applies.py`, and what happens by
itself in `controllers/`. Tests and the server share it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from msgspec import Struct

from gitopsd_plugins.sandbox.access.access import Access
from gitopsd_plugins.sandbox.defaulting.services import Addresses
from gitopsd_plugins.sandbox.delays import Delays
from gitopsd_plugins.sandbox.facts.resources import Resources
from gitopsd_plugins.sandbox.requests.paging import Pages
from gitopsd_plugins.sandbox.requests.user import User
from gitopsd_plugins.sandbox.storage.dependants import Dependants
from gitopsd_plugins.sandbox.storage.store import Store
from gitopsd_plugins.sandbox.views.watch import Watchers


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Settings(Struct, frozen=True, kw_only=True):
    """How the cluster behaves."""

    settling: float = 0.3
    """Seconds until a workload reaches its state, a custom resource definition is established, a namespace is empty."""
    history: int = 20_000
    """Events kept for watches; older versions are answered with 410."""
    clock: Callable[[], datetime] = _utc_now


@dataclass(slots=True, kw_only=True)
class Cluster:
    """Everything that one sandbox cluster knows."""

    settings: Settings = field(default_factory=Settings)
    resources: Resources = field(default_factory=Resources)
    store: Store = field(default_factory=Store)
    access: Access = field(init=False)
    addresses: Addresses = field(default_factory=Addresses)
    watchers: Watchers = field(default_factory=Watchers)
    delays: Delays = field(default_factory=Delays)
    dependants: Dependants = field(default_factory=Dependants)
    pages: Pages = field(default_factory=Pages)
    tokens: dict[str, User] = field(default_factory=dict)
    """The users of tokens that were asked for."""

    def __post_init__(self) -> None:
        self.access = Access(self.store)
        self.store.history = self.settings.history
        self.store.listeners.extend((self.dependants.notice, self.watchers.notify))

    def clear(self) -> None:
        """Forget everything. Versions go on counting, and every watch ends, so that no client takes the new for the old."""
        self.watchers.end_all()
        self.store.clear()
        self.resources.reset()
        self.addresses = Addresses()
        self.delays.started.clear()
        self.dependants.keys.clear()
        self.pages.kept.clear()
        self.tokens.clear()

    def now(self) -> str:
        """The time as objects carry it, in whole seconds."""
        return _shown(self.settings.clock())

    def now_plus(self, seconds: float) -> str:
        """The time in `seconds`, as objects carry it."""
        return _shown(self.settings.clock() + timedelta(seconds=seconds))


def _shown(time: datetime) -> str:
    return _second(int(time.timestamp()))


@lru_cache(maxsize=16)
def _second(second: int) -> str:
    """A second since 1970 as objects carry it; each write asks for it several times."""
    return f"{datetime.fromtimestamp(second, UTC).isoformat()[:19]}Z"

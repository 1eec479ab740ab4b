"""What a render on the command line needs from elsewhere: fetched by the sources as in the daemon, into a store for this run.

There is no engine, no cluster and no configuration: what may be fetched says the command line.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import anyio

from gitopsd.config.credentials import FileCredentials
from gitopsd.config.declared_set import DeclaredSet
from gitopsd.daemon import compose
from gitopsd.model.errors import GitopsdError
from gitopsd.model.masking import Secrets
from gitopsd.model.remote import Remote
from gitopsd.plugin import registry
from gitopsd.plugin.context import Context
from gitopsd.plugin.reach import Reach
from gitopsd.plugin.tree import RemoteNeeded, Remotes
from gitopsd.reconcile.remotes import Elsewhere
from gitopsd.runtime import log
from gitopsd.runtime.pool import intake
from gitopsd.runtime.pool.processes import Processes, WorkerPool
from gitopsd.store import Store

T = TypeVar("T")


class Fetching:
    """Implements `gitopsd.plugin.roles.Fetching`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def rendered(self, make: Callable[[Remotes], T], hosts: Sequence[str], *, plain: bool) -> T:
        """What `make` gives, called again each time that it needed something. Raises as it does, and as sources do."""
        reach = Reach(hosts=tuple(hosts), plain=plain)
        with TemporaryDirectory(prefix="gitopsd-") as folder, Store.open(Path(folder)) as store:
            ended = anyio.run(partial(_rendered, make, reach, store, self._environment))
        if isinstance(ended, GitopsdError):
            raise ended
        return ended


async def _rendered(
    make: Callable[[Remotes], T], reach: Reach, store: Store, environment: Mapping[str, str]
) -> T | GitopsdError:
    async with anyio.create_task_group() as tasks:
        plugins = registry.load()
        logger = log.make(sys.stderr, json=False, secrets=Secrets(), level=logging.WARNING)
        packages = {"gitopsd", *(type(s).__module__.partition(".")[0] for s in plugins.sources.values())}
        pool = WorkerPool(
            tasks, Processes(count=1), packages=packages, log=logger, opener=intake.OPENER, argument=str(store.path)
        )
        ctx = Context(
            http=compose.http(environment),
            work=pool,
            quick=pool,
            credentials=FileCredentials(DeclaredSet, folder=None, systemd=None),
            intake=store,
            now=lambda: datetime.now(UTC),
            log=logger,
            cache=lambda name: compose.private(store.path / "plugins" / name),
            reach=reach,
        )
        elsewhere = Elsewhere(registry=plugins, store=store, ctx=ctx, fetches=anyio.CapacityLimiter(1))
        ended: T | GitopsdError
        try:
            ended = await _made(make, store, elsewhere)
        except GitopsdError as error:  # it leaves the task group as a value, not in a group of errors
            ended = error
        finally:
            pool.close()
    return ended


async def _made(make: Callable[[Remotes], T], store: Store, elsewhere: Elsewhere) -> T:
    needed: set[Remote] = set()
    while True:
        roots = await elsewhere.roots(needed, timedelta.max)
        try:
            return make(Remotes(store, roots or {}))
        except RemoteNeeded as more:
            needed |= set(more.remotes)

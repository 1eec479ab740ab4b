"""Writes a cluster into its folder while it runs: what changed, before it is answered; all of it at a clean end.

So a killed process loses nothing that anybody was told. Where the disk takes nothing the sandbox goes on and says so once; as soon as it takes something again all of it is written. What
the files hold is decided in `persistence.py`.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.keeping import persistence
from gitopsd_plugins.sandbox.keeping.persistence import Kept
from gitopsd_plugins.sandbox.storage.store import Event

MOMENT = 0.2
"""Seconds before all of it is written anew: because a write failed, or since the changes grew large."""
LARGE = 64 << 20
"""Bytes of changes after which all of it is written anew."""

_log = logging.getLogger(__name__)


@asynccontextmanager
async def keeping(cluster: Cluster, folder: Path) -> AsyncIterator[Keeper]:
    """Keep the cluster for as long as the context lasts; the caller holds the folder and has loaded what was there."""
    keeper = Keeper(cluster, folder)
    keeper.rewrite()
    cluster.store.listeners.append(keeper.notice)
    task = asyncio.create_task(keeper.run(), name="sandbox keeper")
    try:
        yield keeper
    finally:
        cluster.store.listeners.remove(keeper.notice)
        task.cancel()
        try:
            keeper.close()  # before anything is awaited: who is being cancelled would not come back from that
        finally:
            await asyncio.gather(task, return_exceptions=True)


class Keeper:
    """Writes the files of one folder."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster, self._folder = cluster, folder
        self._written = 0
        self._wake = asyncio.Event()
        self._file = -1
        self._failed = False

    def close(self) -> None:
        """Write all of it for the last time. Raises OSError."""
        try:
            self.rewrite()
        finally:
            os.close(self._file)

    def rewrite(self) -> None:
        """Write all of it, and begin anew with changes. Raises OSError."""
        persistence.save(self._cluster, self._folder)
        if self._file >= 0:
            os.close(self._file)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(self._folder / persistence.CHANGES, flags, 0o600)
        self._failed, self._written = False, 0

    def renew(self) -> None:
        """Write all of a cluster that was changed without events, now or as soon as there is room."""
        try:
            self.rewrite()
        except OSError as error:
            self._fail(error)

    def notice(self, event: Event) -> None:
        """Write the line of an object that changed. After a failure the file may end in half a line, so that all is written anew."""
        if self._failed:
            return
        try:
            self._append((event.collection, event.last.key))
        except OSError as error:
            self._fail(error)

    def _append(self, key: Kept) -> None:
        content = persistence.lines(self._cluster, [key])
        self._written += len(content)
        while content:
            content = content[os.write(self._file, content) :]
        if self._written > LARGE:
            self._wake.set()

    async def run(self) -> None:
        """Write all of it anew whenever that is due."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(MOMENT)
            self._wake.clear()
            self.renew()

    def _fail(self, error: OSError) -> None:
        if not self._failed:
            _log.warning("%s: changes are not kept until there is room: %s", self._folder, error)
        self._failed = True
        self._wake.set()

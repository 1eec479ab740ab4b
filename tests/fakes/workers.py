"""Real worker processes for jobs of plugins, over a real store, with a ceiling of memory that the kernel holds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import structlog

from gitopsd.runtime.pool import intake
from gitopsd.runtime.pool.processes import Processes, WorkerPool


@asynccontextmanager
async def working(folder: Path, *, memory: int) -> AsyncIterator[WorkerPool]:
    """One process that may hold so many MiB; a job that needs more is refused in words of its own."""
    async with anyio.create_task_group() as tasks:
        pool = WorkerPool(
            tasks,
            Processes(count=1, memory=memory << 20),
            packages=["gitopsd", "gitopsd_plugins"],
            log=structlog.get_logger(),
            opener=intake.OPENER,
            argument=str(folder),
        )
        try:
            yield pool
        finally:
            pool.close()

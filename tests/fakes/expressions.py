"""Worker processes for expressions in CEL, as the daemon has them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import structlog

from gitopsd.runtime.pool.processes import Processes, WorkerPool


@asynccontextmanager
async def pool() -> AsyncIterator[WorkerPool]:
    async with anyio.create_task_group() as tasks:
        work = WorkerPool(tasks, Processes(count=1), packages=["gitopsd"], log=structlog.get_logger())
        try:
            yield work
        finally:
            work.close()

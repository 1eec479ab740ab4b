"""A task beside a block of code: it ends with the block, and an error of either comes out bare, not as a group."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio


@asynccontextmanager
async def running(task: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run `task` while the block runs; when it raises, the block is cancelled and the error raised here."""
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(task)
            yield
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0] from None

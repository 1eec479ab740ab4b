"""Structured concurrency whose errors come out bare: the one that was raised, not a group around it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio

T = TypeVar("T")
R = TypeVar("R")


@asynccontextmanager
async def beside(task: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run `task` while the block runs, and no longer; when it raises, the block is cancelled and the error raised here."""
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(task)
            yield
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        error = _first(group)
        raise error from error.__cause__


async def each(work: Callable[[T], Awaitable[R]], items: Iterable[T]) -> list[R]:
    """`work` on all items at once; results in their order. The first error cancels the others and is raised."""
    found: dict[int, R] = {}

    async def one(position: int, item: T) -> None:
        found[position] = await work(item)

    try:
        async with anyio.create_task_group() as tasks:
            for position, item in enumerate(items):
                tasks.start_soon(one, position, item)
    except BaseExceptionGroup as group:
        error = _first(group)
        raise error from error.__cause__
    return [found[position] for position in sorted(found)]


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest
from anyio.lowlevel import checkpoint

from gitopsd.reconcile import slices

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("count", [0, 1, slices.AT_ONCE, 3 * slices.AT_ONCE + 1])
async def test_every_item_is_worked_on_in_order_and_others_have_their_turns_in_between(count: int) -> None:
    turns, between = 0, list[int]()

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await checkpoint()

    def doubled(part: Sequence[int]) -> list[int]:
        between.append(turns)
        return [2 * item for item in part]

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other)
        made = await slices.over(range(count), doubled)
        tasks.cancel_scope.cancel()

    assert made == tuple(range(0, 2 * count, 2))
    assert len(set(between)) == len(between) == -(-count // slices.AT_ONCE)

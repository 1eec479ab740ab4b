from __future__ import annotations

import anyio
import pytest
from anyio.lowlevel import checkpoint

from gitopsd.runtime.schedule.turns import Turns

pytestmark = pytest.mark.asyncio


async def test_a_few_of_those_that_are_woken_at_once_go_on_in_each_turn_of_the_loop() -> None:
    turns, went, most = Turns(3), list[int](), 0

    async def one(number: int) -> None:
        await turns.mine()
        went.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(one, number)
        while len(went) < 20:
            before = len(went)
            await checkpoint()
            most = max(most, len(went) - before)

    assert most == 3
    assert went == list(range(20))


async def test_one_that_gives_up_holds_up_nobody() -> None:
    turns = Turns(1)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(turns.mine)
        await checkpoint()
        tasks.cancel_scope.cancel()
    await turns.mine()

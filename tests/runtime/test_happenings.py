"""What happened lately: numbered, news only, and waited for."""

from __future__ import annotations

from datetime import UTC, datetime

import anyio
import pytest

from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.runtime.shown.happenings import Happenings
from gitopsd.runtime.shown.lines import Lines

pytestmark = pytest.mark.asyncio

A, B = (ObjectRef(kind="Kustomization", namespace="flux-system", name=name) for name in "ab")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def outcome(ref: ObjectRef, message: str = "ready") -> Outcome:
    return Outcome(ref=ref, phase=Phase.READY, generation=1, message=message, started=NOW, finished=NOW)


async def test_saying_the_same_again_is_no_news() -> None:
    happenings = Happenings()
    for message in ("one", "one", "two"):
        happenings.outcome(outcome(A, message))
    assert [row.message for row in await happenings.after(0, (), 0)] == ["one", "two"]


async def test_only_what_came_after_and_about_whom_one_asks() -> None:
    happenings = Happenings()
    happenings.outcome(outcome(A))
    happenings.outcome(outcome(B))
    happenings.outcome(outcome(A, "again"))
    [last] = await happenings.after(1, {A}, 0)
    assert (last.number, last.message) == (3, "again")


async def test_who_waits_hears_of_the_next_one() -> None:
    happenings = Happenings()
    heard: list[str] = []

    async def listen() -> None:
        heard.extend(row.message for row in await happenings.after(0, {B}, 20))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listen)
        await anyio.lowlevel.checkpoint()
        happenings.outcome(outcome(A))
        await anyio.lowlevel.checkpoint()
        happenings.outcome(outcome(B, "for you"))
    assert heard == ["for you"]


async def test_who_waits_is_let_go_when_the_process_ends() -> None:
    happenings = Happenings()

    async def listen() -> None:
        assert await happenings.after(0, (), 1000) == []

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            await anyio.lowlevel.checkpoint()
            happenings.close()


async def test_lines_are_kept_by_their_object() -> None:
    lines = Lines()
    for number, name in enumerate((str(A), "", str(B), str(A))):
        lines.about(None, "info", {"object": name} if name else {})
        lines.keep(None, "info", f"line {number}")
    assert [row.text for row in lines.after(0, {str(A)})] == ["line 0", "line 3"]
    assert [row.text for row in lines.after(1, {str(A), str(B)})] == ["line 2", "line 3"]

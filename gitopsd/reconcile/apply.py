"""Carrying out changes against a target: many at a time, errors as values, and nothing decided here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import anyio

from gitopsd.model.change import Action, Change, Rehearsal, Result
from gitopsd.model.declared import PLAIN
from gitopsd.model.errors import GitopsdError
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.manifest import Manifest
from gitopsd.plugin.roles import Target
from gitopsd.reconcile.plan import Ground

T = TypeVar("T")
AT_ONCE = 64
"""Tasks at once; the target bounds the requests themselves."""


async def rehearsed(manifests: Sequence[Manifest], ground: Ground, target: Target) -> Mapping[ResourceId, Rehearsal]:
    """The server's dry-run answer for each manifest."""
    answers: dict[ResourceId, Rehearsal] = {}

    async def one(manifest: Manifest) -> None:
        answers[manifest.id] = await _rehearsal(manifest, ground, target)

    await _each(one, manifests)
    return answers


async def _rehearsal(manifest: Manifest, ground: Ground, target: Target) -> Rehearsal:
    treatment = ground.treatments.get(manifest.id, PLAIN)
    try:
        return await target.rehearse(manifest, ground.app, ground.live.get(manifest.id), treatment)
    except GitopsdError as error:
        return Rehearsal(id=manifest.id, error=error)


async def carried_out(
    changes: Iterable[Change], app: ObjectRef, target: Target, results: dict[ResourceId, Result]
) -> None:
    """Write what the changes say; `results` is filled as answers come, so that a cut loses none."""

    async def one(change: Change) -> None:
        results[change.id] = await _result(change, app, target)

    await _each(one, [change for change in changes if change.action.writes])


async def _result(change: Change, app: ObjectRef, target: Target) -> Result:
    try:
        if change.action is Action.DELETE:
            return await target.delete(change)
        return await target.apply(change, app)
    except GitopsdError as error:
        return Result(id=change.id, action=change.action, error=error)


async def _each(work: Callable[[T], Awaitable[None]], items: Sequence[T]) -> None:
    """`work` on every item. A few tasks share the items: one task for each of thousands would hold the loop up."""
    left = iter(items)

    async def some() -> None:
        for item in left:
            await work(item)

    async with anyio.create_task_group() as group:
        for _ in range(min(AT_ONCE, len(items))):
            group.start_soon(some)

"""Carrying out changes against a target: many at a time, errors as values, and nothing decided here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import anyio

from gitopsd.model.change import Action, Change, Live, Rehearsal, Result
from gitopsd.model.errors import GitopsdError
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.manifest import Manifest
from gitopsd.plugin.roles import Target

AT_ONCE = 64
"""Tasks at once; the target bounds the requests themselves."""


async def rehearsed(
    manifests: Sequence[Manifest], app: ObjectRef, live: Mapping[ResourceId, Live], target: Target
) -> Mapping[ResourceId, Rehearsal]:
    """The server's dry-run answer for each manifest."""
    answers: dict[ResourceId, Rehearsal] = {}
    slots = anyio.CapacityLimiter(AT_ONCE)

    async def one(manifest: Manifest) -> None:
        async with slots:
            answers[manifest.id] = await _rehearsal(manifest, app, live.get(manifest.id), target)

    async with anyio.create_task_group() as group:
        for manifest in manifests:
            group.start_soon(one, manifest)
    return answers


async def _rehearsal(manifest: Manifest, app: ObjectRef, live: Live | None, target: Target) -> Rehearsal:
    try:
        return await target.rehearse(manifest, app, live)
    except GitopsdError as error:
        return Rehearsal(id=manifest.id, error=error)


async def carried_out(
    changes: Iterable[Change], app: ObjectRef, target: Target, results: dict[ResourceId, Result]
) -> None:
    """Write what the changes say; `results` is filled as answers come, so that a cut loses none."""
    slots = anyio.CapacityLimiter(AT_ONCE)

    async def one(change: Change) -> None:
        async with slots:
            results[change.id] = await _result(change, app, target)

    async with anyio.create_task_group() as group:
        for change in changes:
            if change.action.writes:
                group.start_soon(one, change)


async def _result(change: Change, app: ObjectRef, target: Target) -> Result:
    try:
        if change.action is Action.DELETE:
            return await target.delete(change)
        return await target.apply(change, app)
    except GitopsdError as error:
        return Result(id=change.id, action=change.action, error=error)

"""The health gate: follow the objects until all are healthy, one has failed, time is up, or a newer revision supersedes it.

It holds no slot: any number of gates may be open at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import anyio

from gitopsd.model.change import Live
from gitopsd.model.declared import HealthCheck
from gitopsd.model.errors import GitopsdError, NotReady, Rejected
from gitopsd.model.health import Verdict
from gitopsd.model.identity import ResourceId
from gitopsd.plugin.roles import Target
from gitopsd.reconcile import conclude, health
from gitopsd.reconcile.conclude import Run
from gitopsd.reconcile.world import World

FAILED = "HealthCheckFailed"
CANCELED = "HealthCheckCanceled"


async def passed(
    checks: Collection[HealthCheck],
    target: Target,
    world: World,
    run: Run,
    *,
    timeout: float,
    superseded: anyio.Event,
) -> None:
    """Return once every object is healthy; `run.health` follows along. `timeout` in seconds.

    Where watches show all of it healthy already, no request is made. Raises `Rejected` (HealthCheckFailed) naming the failed
    or late objects, `NotReady` (HealthCheckCanceled) when superseded.
    """
    verdicts = {c.id: health.assess(world.registry.health, _mirrored(c, target, world)) for c in checks}
    run.health = verdicts
    if not health.pending(verdicts):
        return
    world.progress(conclude.progressing(run, world.ctx.now()))
    ended: list[GitopsdError] = []

    async def follow() -> None:
        try:
            await _follow(checks, target, world, verdicts)
        except GitopsdError as error:
            ended.append(error)
        group.cancel_scope.cancel()

    async def cut_short() -> None:
        await superseded.wait()
        ended.append(
            NotReady(
                "the health check was cut short: there is something newer to reconcile, or gitopsd stops",
                reason=CANCELED,
            )
        )
        group.cancel_scope.cancel()

    with anyio.move_on_after(timeout):
        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            group.start_soon(cut_short)
    _judge(verdicts, ended)


def _judge(verdicts: Mapping[ResourceId, Verdict], ended: Sequence[GitopsdError]) -> None:
    if health.failed(verdicts):
        names = health.listed(health.failed(verdicts), verdicts)
        raise Rejected(f"failed early due to stalled resources: {names}", reason=FAILED)
    if ended:
        raise ended[0]
    if health.pending(verdicts):
        raise Rejected(f"timeout waiting for: {health.listed(health.pending(verdicts), verdicts)}", reason=FAILED)


def _mirrored(check: HealthCheck, target: Target, world: World) -> Live | None:
    cluster = target.access.cluster
    if not world.mirror.holds(cluster, {(check.id.group, check.id.kind)}):
        return None
    return world.mirror.live(cluster, check.id)


async def _follow(
    checks: Collection[HealthCheck], target: Target, world: World, verdicts: dict[ResourceId, Verdict]
) -> None:
    async with target.follow(checks) as seen:
        async for event in seen:
            if event.id in verdicts:
                verdicts[event.id] = health.assess(world.registry.health, event.live)
            if not health.pending(verdicts) or health.failed(verdicts):
                return

"""The health gate: follow the objects until all are healthy, one has failed, time is up, or a newer revision supersedes it.

It holds no slot: any number of gates may be open at once. What stays unhealthy for a while is looked at more closely, as its
own status seldom says why; that is the only use of pods and events.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import anyio

from gitopsd.model.change import Live, Sight
from gitopsd.model.declared import HealthCheck
from gitopsd.model.errors import GitopsdError, NotReady, Rejected
from gitopsd.model.health import Explanation, Health, Verdict
from gitopsd.model.identity import ResourceId
from gitopsd.plugin.roles import Target
from gitopsd.reconcile import conclude, health
from gitopsd.reconcile.conclude import Run
from gitopsd.reconcile.judge import Judge
from gitopsd.reconcile.world import World

FAILED = "HealthCheckFailed"
CANCELED = "HealthCheckCanceled"
CLOSER = 10.0
"""Seconds between two closer looks at what is not healthy."""
EXPLAINING = 5.0
"""Seconds that the closer look after a failure may take."""


@dataclass(slots=True, kw_only=True)
class _Open:
    """An open gate."""

    checks: Collection[HealthCheck]
    target: Target
    world: World
    run: Run
    judge: Judge
    verdicts: dict[ResourceId, Verdict]
    unhealthy: dict[ResourceId, Live] = field(default_factory=dict)
    """As last seen, of those that are there and not healthy."""
    ended: list[GitopsdError] = field(default_factory=list)

    @property
    def decided(self) -> bool:
        """Nothing is left to wait for."""
        return not health.pending(self.verdicts) or bool(health.failed(self.verdicts))


async def passed(
    checks: Collection[HealthCheck],
    target: Target,
    world: World,
    run: Run,
    *,
    judge: Judge,
    timeout: float,
    superseded: anyio.Event,
) -> None:
    """Return once every object is healthy; `run.health` follows along. `timeout` in seconds.

    Where watches show all of it healthy already, no request is made. Raises `Rejected` (HealthCheckFailed) naming the failed
    or late objects and why they are so, `NotReady` (HealthCheckCanceled) when superseded.
    """
    verdicts = {c.id: judge.at_sight(c.id, _mirrored(c, target, world)) for c in checks}
    run.health = verdicts
    if not health.pending(verdicts):
        return
    world.progress(conclude.progressing(run, world.ctx.now()))
    gate = _Open(checks=checks, target=target, world=world, run=run, judge=judge, verdicts=verdicts)
    with anyio.move_on_after(timeout):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_follow, gate, tasks.cancel_scope)
            tasks.start_soon(_look_closer, gate, tasks.cancel_scope)
            tasks.start_soon(_cut_short, gate, superseded, tasks.cancel_scope)
    await _judged(gate)


async def _judged(gate: _Open) -> None:
    verdicts, ended = gate.verdicts, gate.ended
    if ended and not health.failed(verdicts):
        raise ended[0]
    if not health.pending(verdicts):
        return
    with anyio.move_on_after(EXPLAINING):
        await _explain(gate, health.failed(verdicts) or health.pending(verdicts))
    if failed := health.failed(verdicts):
        raise Rejected(f"failed early due to stalled resources: {health.listed(failed, verdicts)}", reason=FAILED)
    raise Rejected(f"timeout waiting for: {health.listed(health.pending(verdicts), verdicts)}", reason=FAILED)


def _mirrored(check: HealthCheck, target: Target, world: World) -> Sight | None:
    cluster = target.access.cluster
    if not world.mirror.holds(cluster, {(check.id.group, check.id.kind)}):
        return None
    return world.mirror.sight(cluster, check.id)


async def _follow(gate: _Open, over: anyio.CancelScope) -> None:
    try:
        async with gate.target.follow(gate.checks) as seen:
            async for event in seen:
                if event.id in gate.verdicts:
                    await _take(gate, event.id, event.live)
                if gate.decided:
                    break
    except GitopsdError as error:
        gate.ended.append(error)
    over.cancel()


async def _take(gate: _Open, id: ResourceId, live: Live | None) -> None:
    if live is None and any(check.ends for check in gate.checks if check.id == id):
        gate.verdicts[id] = Verdict(health=Health.CURRENT, message="it was removed when it was done")
        gate.unhealthy.pop(id, None)
        return
    gate.verdicts |= await gate.judge.verdicts({id: live})
    if live is None or gate.verdicts[id].health is Health.CURRENT:
        gate.unhealthy.pop(id, None)
    else:
        gate.unhealthy[id] = live


async def _look_closer(gate: _Open, over: anyio.CancelScope) -> None:
    """Now and then, so that `get` says why while there is still time, and what cannot recover ends the wait."""
    while not gate.decided:
        before = dict(gate.verdicts)
        await anyio.sleep(CLOSER)
        await _explain(gate, health.pending(gate.verdicts))
        if gate.verdicts != before:
            gate.world.progress(conclude.progressing(gate.run, gate.world.ctx.now()))
    over.cancel()


async def _cut_short(gate: _Open, superseded: anyio.Event, over: anyio.CancelScope) -> None:
    await superseded.wait()
    gate.ended.append(
        NotReady(
            "the health check was cut short: there is something newer to reconcile, or gitopsd stops", reason=CANCELED
        )
    )
    over.cancel()


async def _explain(gate: _Open, ids: tuple[ResourceId, ...]) -> None:
    """A closer look at those that a message names. It is a favour: what it meets is no reason to fail."""
    for id in ids[: health.SHOWN]:
        if live := gate.unhealthy.get(id):
            try:
                found = await gate.target.explain(live)
            except GitopsdError as error:
                gate.world.ctx.log.debug("no closer look", resource=str(id), problem=str(error))
                continue
            if gate.unhealthy.get(id) is live:
                gate.verdicts[id] = _closer(gate.verdicts[id], found)
            if found.failed:
                return


def _closer(verdict: Verdict, found: Explanation) -> Verdict:
    if not found.message or found.message in verdict.message:
        return verdict
    own = verdict.message.partition("; ")[0]
    told = f"{own}; {found.message}" if own else found.message
    return replace(verdict, health=Health.FAILED if found.failed else verdict.health, message=told)

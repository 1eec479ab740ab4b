"""A Git host that fails for ten minutes, and forty objects that follow it, in virtual time.

Scheduler, attempts, store, and manners towards hosts are the real ones, and so is what each answer means; only the wire is
left out, since virtual time and sockets do not go together (`test_hosts.py` has the wire).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from fakes.source_world import SourceWorld, source_world

from gitopsd.model.outcome import Outcome, Phase
from gitopsd.plugin import (
    Artifact,
    Changes,
    Content,
    Context,
    Declared,
    Digest,
    ObjectRef,
    Place,
    Revision,
    SourceIntent,
    Stored,
    hosts,
)
from gitopsd.plugin.sources import network
from gitopsd.reconcile import source as sources
from gitopsd.reconcile.world import Board, Limits, Safety, Slots, World
from gitopsd.runtime.schedule.attempt import Attempt
from gitopsd.runtime.schedule.due import Pace
from gitopsd.runtime.schedule.scheduled import Scheduled
from gitopsd.runtime.schedule.scheduler import Scheduler
from gitopsd_plugins.git import kind
from gitopsd_plugins.git.reference import FAILED
from gitopsd_plugins.git.wire import lsrefs

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

BEGUN = datetime(2026, 1, 2, tzinfo=UTC)
MANY = 40
OUTAGE = 600.0


@dataclass
class Host:
    """Where forty branches are. `answer` is the status that it gives, 0 for none at all."""

    kind: str = "GitRepository"
    answer: int = 200
    head: str = "a" * 40
    asked: list[float] = field(default_factory=list)

    async def resolve(self, intent: SourceIntent, ctx: Context) -> Revision:
        place, timeout = intent.spec.address, intent.timeout.total_seconds() * 0.8
        async with ctx.hosts.turn(hosts.name(place.url)):
            self.asked.append(asyncio.get_running_loop().time())
            if not self.answer:
                await anyio.sleep(timeout)
                raise network.silent(place.url, timeout, reason=FAILED)
            if self.answer != 200:
                raise lsrefs.refused(self.answer, place, credentials=False, wait=30.0 if self.answer == 429 else None)
        return Revision(name="main", digest=f"sha1:{self.head}")

    async def fetch(self, intent: SourceIntent, revision: Revision, base: Artifact | None, ctx: Context) -> Stored:
        [file] = ctx.intake.add([Content(data=revision.digest.encode())])
        return ctx.intake.put(Changes(entries={"a.yaml": file}))


class Forty:
    """The objects, looked after by a scheduler."""

    def __init__(self, made: SourceWorld, host: Host) -> None:
        unused: Any = None
        self.outcomes: list[Outcome] = []
        self.board = Board()
        self.world = World(
            registry=SimpleNamespace(sources={host.kind: host}, failures=str),  # type: ignore[arg-type]  # all that is asked
            store=made.store,
            memory=unused,
            ctx=replace(made.ctx, now=_now),
            safety=Safety(),
            limits=Limits(),
            slots=Slots(fetch=anyio.CapacityLimiter(8), render=unused),
            additive_ready=False,
            board=self.board,
            statuses={},
            claims=unused,
            elsewhere=unused,
            mirror=unused,
            target=unused,
            adopt_children=unused,
            has_read=unused,
            lookups=unused,
            wake=unused,
            progress=unused,
        )
        for number in range(MANY):
            found = _declared(f"app-{number}")
            self.board.declared[found.ref] = found
            self.board.intents[found.ref] = kind.GitRepository().read(found)

    def scheduled(self) -> list[Scheduled]:
        return [Scheduled.of(found, self.board.intents[ref]) for ref, found in self.board.declared.items()]

    async def carry(self, attempt: Attempt) -> Outcome:
        return await sources.attempt(attempt.ref, self.world)

    def revisions(self) -> set[str]:
        """What apps would be given now."""
        assert len(self.board.artifacts) == MANY
        return {str(artifact.revision) for artifact in self.board.artifacts.values()}


def _now() -> datetime:
    return BEGUN + timedelta(seconds=asyncio.get_running_loop().time())


def _declared(name: str) -> Declared:
    spec = {"url": "https://git.example.org/team/app", "ref": {"branch": name}, "interval": "1m"}
    ref = ObjectRef(kind="GitRepository", namespace="flux-system", name=name)
    head = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": ref.kind, "metadata": {"name": name}}
    return Declared(ref=ref, document={**head, "spec": spec}, place=Place(file="a.yaml"), spec=Digest("s"))


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def forty(tmp_path: Path, host: Host) -> Iterator[Forty]:
    with source_world(tmp_path) as made:
        yield Forty(made, host)


@pytest.mark.parametrize("answer", [429, 503, 0])
async def test_old_artifacts_serve_through_an_outage_and_no_burst_meets_who_is_back(
    forty: Forty, host: Host, answer: int
) -> None:
    async with anyio.create_task_group() as tasks:
        scheduler = Scheduler(
            tasks,
            forty.carry,
            on_outcome=forty.outcomes.append,
            now=_now,
            rng=Random(1),
            pace=Pace(),
            awaited=lambda _: None,
        )
        scheduler.declare(forty.scheduled())
        await anyio.sleep(120.0)
        before, served = forty.revisions(), len(forty.outcomes)

        host.answer, host.head, began = answer, "b" * 40, len(host.asked)
        await anyio.sleep(OUTAGE)
        during, failed = host.asked[began:], forty.outcomes[served:]
        still, host.answer, back = forty.revisions(), 200, asyncio.get_running_loop().time()
        await anyio.sleep(900.0)
        tasks.cancel_scope.cancel()

    assert before == still == {f"main@sha1:{'a' * 40}"}
    assert len(during) <= hosts.AT_ONCE + 20
    assert {outcome.ref.name for outcome in failed} == {f"app-{number}" for number in range(MANY)}
    for outcome in failed:
        assert outcome.phase is Phase.RETRYING
        assert "stays in service, stale since 2026-01-02T00:0" in outcome.message
    assert forty.revisions() == {f"main@sha1:{'b' * 40}"}
    again = [at for at in host.asked if at >= back]
    assert max(sum(begin <= at < begin + 5 for at in again) for begin in again) <= 5 + hosts.AT_ONCE

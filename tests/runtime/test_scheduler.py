from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from types import TracebackType

import anyio
import pytest

from gitopsd.model.declared import AppIntent, Declared, Place, SourceIntent, Unserved
from gitopsd.model.digest import Digest
from gitopsd.model.errors import NotReady
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.model.tree import Artifact, Revision
from gitopsd.runtime.schedule.attempt import Attempt
from gitopsd.runtime.schedule.due import Pace, Timing
from gitopsd.runtime.schedule.scheduled import Scheduled
from gitopsd.runtime.schedule.scheduler import Scheduler
from gitopsd.runtime.schedule.wake import Reason

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

AT = datetime(2026, 1, 1, tzinfo=UTC)
EXACT = Pace(jitter=0.0)


def source(name: str = "git", spec: str = "1") -> Scheduled:
    return Scheduled(
        ref=ObjectRef(kind="GitRepository", namespace="flux-system", name=name),
        spec=Digest(spec),
        generation=1,
        timing=Timing(interval=60, polls_when_stalled=True),
    )


def app(
    name: str = "apps", *, of: Scheduled | None = None, after: tuple[Scheduled, ...] = (), spec: str = "1"
) -> Scheduled:
    return Scheduled(
        ref=ObjectRef(kind="Kustomization", namespace="flux-system", name=name),
        spec=Digest(spec),
        generation=1,
        timing=Timing(interval=600, retry=30),
        source=of.ref if of else None,
        depends_on=tuple(s.ref for s in after),
    )


def outcome(ref: ObjectRef, phase: Phase = Phase.READY, *, revision: str = "") -> Outcome:
    artifact = None
    if revision:
        artifact = Artifact(
            source=ref,
            revision=Revision(digest=revision),
            tree=Digest(revision),
            size=1,
            files=1,
            stored=AT,
            spec=Digest("s"),
        )
    return Outcome(ref=ref, phase=phase, generation=1, started=AT, finished=AT, artifact=artifact)


class World(AbstractAsyncContextManager["World"]):
    """A scheduler whose attempts follow a script, with a record of what was attempted when."""

    def __init__(self) -> None:
        self.steps: dict[ObjectRef, Callable[[Attempt], Awaitable[Outcome]]] = {}
        self.attempts: list[tuple[float, Attempt]] = []
        self.outcomes: list[Outcome] = []
        self.awaited: dict[ObjectRef, ObjectRef] = {}
        """Whom objects wait for before they begin."""

    async def __aenter__(self) -> World:
        self._stack = AsyncExitStack()
        tasks = await self._stack.enter_async_context(anyio.create_task_group())
        self._stack.callback(tasks.cancel_scope.cancel)
        self.scheduler = Scheduler(
            tasks,
            self._carry,
            on_outcome=self.outcomes.append,
            now=lambda: AT,
            rng=Random(0),
            pace=EXACT,
            awaited=self.awaited.get,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, trace)

    async def _carry(self, attempt: Attempt) -> Outcome:
        self.attempts.append((asyncio.get_running_loop().time(), attempt))
        step = self.steps.get(attempt.ref)
        if step:
            return await step(attempt)
        return outcome(attempt.ref, revision="r1" if attempt.ref.kind == "GitRepository" else "")

    def times(self, scheduled: Scheduled) -> list[float]:
        return [time for time, attempt in self.attempts if attempt.ref == scheduled.ref]

    def reasons(self, scheduled: Scheduled) -> list[set[Reason]]:
        return [set(attempt.reasons) for _, attempt in self.attempts if attempt.ref == scheduled.ref]

    @property
    def order(self) -> list[str]:
        return [attempt.ref.name for _, attempt in self.attempts]


async def test_an_app_begins_when_its_source_has_concluded() -> None:
    async def slow(attempt: Attempt) -> Outcome:
        await anyio.sleep(5)
        return outcome(attempt.ref, revision="r1")

    git, apps = source(), app(of=source())
    async with World() as world:
        world.steps[git.ref] = slow
        world.scheduler.declare([apps, git])

        await world.scheduler.settle()

        assert world.order == ["git", "apps"]
        assert world.times(apps) == [5]
        assert world.reasons(apps) == [{Reason.REVISION}]


async def test_an_app_begins_even_when_its_source_failed_or_is_not_declared() -> None:
    async def broken(attempt: Attempt) -> Outcome:
        return outcome(attempt.ref, Phase.RETRYING)

    git, apps, lost = source(), app(of=source()), app("lost", of=source("elsewhere"))
    async with World() as world:
        world.steps[git.ref] = broken
        world.scheduler.declare([git, apps, lost])

        await world.scheduler.settle()

        assert Counter(world.order) == {"git": 1, "apps": 1, "lost": 1}


async def test_a_dependant_is_woken_by_ready_not_by_polling() -> None:
    infra, apps = app("infra"), app(after=(app("infra"),))

    async def gate(attempt: Attempt) -> Outcome:
        await anyio.sleep(40)
        return outcome(attempt.ref)

    async def require(attempt: Attempt) -> Outcome:
        ready = world.scheduler.outcomes.get(infra.ref)
        return outcome(attempt.ref, Phase.READY if ready else Phase.WAITING)

    async with World() as world:
        world.steps |= {infra.ref: gate, apps.ref: require}
        world.scheduler.declare([apps, infra])

        outcomes = await world.scheduler.settle()

        assert world.times(apps) == [0, 40]
        assert outcomes[apps.ref].phase is Phase.READY


async def test_what_waits_hears_that_its_dependency_fails_otherwise_and_what_retries_does_not() -> None:
    infra = app("infra")
    waits, retries = app("waits", after=(infra,)), app("retries", after=(infra,))

    async def gets_worse(attempt: Attempt) -> Outcome:
        first = len(world.times(infra)) == 1
        return outcome(attempt.ref, Phase.WAITING if first else Phase.STALLED)

    async with World() as world:
        world.steps[infra.ref] = gets_worse
        for one, phase in ((waits, Phase.WAITING), (retries, Phase.RETRYING)):
            world.steps[one.ref] = partial(_always, phase)
        world.scheduler.declare([infra, waits, retries])
        await world.scheduler.settle()
        before = Counter(world.order)

        world.scheduler.wake(infra.ref, Reason.REQUEST)
        await world.scheduler.settle()

        assert Counter(world.order) - before == {"infra": 1, "waits": 1}
        assert world.reasons(waits)[-1] == {Reason.CAUSE}


async def _always(phase: Phase, attempt: Attempt) -> Outcome:
    return outcome(attempt.ref, phase)


async def test_a_dependency_that_gets_ready_during_the_attempt_is_not_missed() -> None:
    infra, apps = app("infra"), app(after=(app("infra"),))

    async def second(attempt: Attempt) -> Outcome:
        await anyio.sleep(1)
        return outcome(attempt.ref)

    async def checked_too_early(attempt: Attempt) -> Outcome:
        ready = infra.ref in world.scheduler.outcomes
        await anyio.sleep(3)
        return outcome(attempt.ref, Phase.READY if ready else Phase.WAITING)

    async with World() as world:
        world.steps |= {infra.ref: second, apps.ref: checked_too_early}
        world.scheduler.declare([infra, apps])

        outcomes = await world.scheduler.settle()

        assert outcomes[apps.ref].phase is Phase.READY
        assert world.times(apps) == [0, 3]


async def test_a_new_artifact_wakes_the_apps_of_the_source_and_an_equal_one_does_not() -> None:
    revisions = iter(["r1", "r1", "r2"])

    async def poll(attempt: Attempt) -> Outcome:
        return outcome(attempt.ref, revision=next(revisions))

    git, apps = source(), app(of=source())
    async with World() as world:
        world.steps[git.ref] = poll
        world.scheduler.declare([git, apps])
        await anyio.sleep(130)

        first, second, third = world.times(git)

        assert world.times(apps) == [first, third]
        assert second < third


async def test_any_number_of_wakes_before_the_next_attempt_count_as_one() -> None:
    async def slow(attempt: Attempt) -> Outcome:
        await anyio.sleep(10)
        return outcome(attempt.ref)

    apps = app()
    async with World() as world:
        world.steps[apps.ref] = slow
        world.scheduler.declare([apps])
        await anyio.sleep(1)

        for _ in range(100):
            world.scheduler.wake(apps.ref, Reason.DRIFT)
            world.scheduler.wake(apps.ref, Reason.REVISION)
        await world.scheduler.settle()

        assert world.times(apps) == [0, 10]
        assert world.reasons(apps)[1] == {Reason.DRIFT, Reason.REVISION}


async def test_there_is_at_most_one_attempt_per_object_even_when_it_is_removed_and_declared_again() -> None:
    running = most = 0

    async def stubborn(attempt: Attempt) -> Outcome:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            await anyio.sleep(10)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(5)
            running -= 1
        return outcome(attempt.ref)

    apps = app()
    async with World() as world:
        world.steps[apps.ref] = stubborn
        for declared in ([apps], [], [apps], [], [apps]):
            world.scheduler.declare(declared)
            await anyio.sleep(1)
        await world.scheduler.settle()

        assert most == 1
        assert world.scheduler.outcomes[apps.ref].phase is Phase.READY


async def test_a_newer_revision_supersedes_an_open_gate_and_drift_does_not() -> None:
    async def gate(attempt: Attempt) -> Outcome:
        with anyio.move_on_after(600):
            await attempt.superseded.wait()
        return outcome(attempt.ref)

    apps = app()
    async with World() as world:
        world.steps[apps.ref] = gate
        world.scheduler.declare([apps])
        await anyio.sleep(10)
        world.scheduler.wake(apps.ref, Reason.DRIFT)
        await anyio.sleep(10)
        world.scheduler.wake(apps.ref, Reason.REVISION)
        await anyio.sleep(1)

        assert world.times(apps) == [0, 20]


async def test_a_bug_in_one_object_becomes_its_outcome_and_touches_no_other() -> None:
    async def bug(attempt: Attempt) -> Outcome:
        raise ZeroDivisionError("secret-value")

    bad, good = app("bad"), app("good")
    async with World() as world:
        world.steps[bad.ref] = bug
        world.scheduler.declare([bad, good])

        outcomes = await world.scheduler.settle()

        assert outcomes[good.ref].phase is Phase.READY
        assert outcomes[bad.ref].phase is Phase.RETRYING
        assert "ZeroDivisionError" in outcomes[bad.ref].trace
        assert "secret-value" not in outcomes[bad.ref].message
        await anyio.sleep(31)
        assert world.times(bad) == [0, 30]


async def test_a_request_is_answered_by_the_attempt_that_takes_it_up() -> None:
    async def slow(attempt: Attempt) -> Outcome:
        await anyio.sleep(10)
        return replace(outcome(attempt.ref), token=attempt.tokens[-1] if attempt.tokens else "")

    apps = app()
    async with World() as world:
        world.steps[apps.ref] = slow
        world.scheduler.declare([apps])
        await anyio.sleep(1)

        answer = await world.scheduler.request(apps.ref, "t1")

        assert answer.token == "t1"
        assert asyncio.get_running_loop().time() == 20


async def test_a_request_for_what_is_not_declared_or_goes_away_is_refused() -> None:
    async def endless(attempt: Attempt) -> Outcome:
        await anyio.sleep_forever()
        raise AssertionError

    apps = app()
    async with World() as world:
        world.steps[apps.ref] = endless
        with pytest.raises(NotReady, match="is not declared"):
            await world.scheduler.request(apps.ref, "t1")
        world.scheduler.declare([apps])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_remove_soon, world.scheduler)
            with pytest.raises(NotReady, match="is not declared"):
                await world.scheduler.request(apps.ref, "t2")


async def _remove_soon(scheduler: Scheduler) -> None:
    await anyio.sleep(1)
    scheduler.declare([])


async def test_a_reload_wakes_only_what_changed_and_ends_what_is_gone() -> None:
    kept, changed, gone = app("kept"), app("changed"), app("gone")
    async with World() as world:
        world.scheduler.declare([kept, changed, gone])
        await world.scheduler.settle()

        world.scheduler.declare([kept, app("changed", spec="2"), app("new")])
        await world.scheduler.settle()

        assert world.reasons(changed)[1] == {Reason.SPEC}
        assert Counter(world.order) == {"kept": 1, "changed": 2, "gone": 1, "new": 1}
        assert world.scheduler.outcomes.keys() == {kept.ref, changed.ref, app("new").ref}


async def test_settle_waits_for_what_an_attempt_declares() -> None:
    parent, child = app("parent"), app("child")

    async def render(attempt: Attempt) -> Outcome:
        await anyio.sleep(1)
        world.scheduler.declare([parent, child])
        return outcome(attempt.ref)

    async with World() as world:
        world.steps[parent.ref] = render
        world.scheduler.declare([parent])

        outcomes = await world.scheduler.settle()

        assert outcomes.keys() == {parent.ref, child.ref}


async def test_settle_of_one_object_waits_for_what_it_needs_and_for_nothing_else() -> None:
    async def endless(attempt: Attempt) -> Outcome:
        await anyio.sleep_forever()
        raise AssertionError

    git, apps, other = source(), app(of=source()), app("other")
    async with World() as world:
        world.steps[other.ref] = endless
        world.scheduler.declare([git, apps, other])

        outcomes = await world.scheduler.settle([apps.ref])

        assert outcomes.keys() == {git.ref, apps.ref}
        assert world.scheduler.attempting == {other.ref}


async def test_stop_ends_rest_and_gates_at_once_and_gives_a_running_write_its_grace() -> None:
    finished: list[str] = []

    async def gate(attempt: Attempt) -> Outcome:
        await attempt.superseded.wait()
        finished.append("gate")
        return outcome(attempt.ref)

    async def write(attempt: Attempt) -> Outcome:
        await anyio.sleep(5)
        finished.append("write")
        assert attempt.stopping.is_set()
        return outcome(attempt.ref)

    async def hang(attempt: Attempt) -> Outcome:
        await anyio.sleep(10_000)
        finished.append("hang")
        return outcome(attempt.ref)

    resting, gated, writing, hanging = app("resting"), app("gated"), app("writing"), app("hanging")
    async with World() as world:
        world.steps |= {gated.ref: gate, writing.ref: write, hanging.ref: hang}
        world.scheduler.declare([resting, gated, writing, hanging])
        await anyio.sleep(1)

        await world.scheduler.stop(grace=10)

        assert finished == ["gate", "write"]
        assert asyncio.get_running_loop().time() == 11
        world.scheduler.declare([app("late")])
        assert world.order.count("late") == 0


async def test_due_in_tells_when_an_object_is_looked_at_by_itself() -> None:
    apps = app()
    async with World() as world:
        world.scheduler.declare([apps])
        await world.scheduler.settle()
        await anyio.sleep(100)

        due = world.scheduler.due_in(apps.ref)

        assert due is not None
        assert 200 <= due <= 500
        assert world.scheduler.due_in(source().ref) is None


async def test_a_thousand_apps_settle_in_one_go() -> None:
    git = source()
    apps = [app(f"a{n}", of=git) for n in range(1000)]
    async with World() as world:
        world.scheduler.declare([git, *apps])

        outcomes = await world.scheduler.settle()

        assert len(outcomes) == 1001
        assert len(world.attempts) == 1001


async def test_an_intent_tells_when_to_look_and_whom_to_listen_to() -> None:
    git, infra = source().ref, app("infra").ref
    declared = Declared(ref=app().ref, document={}, place=Place(file="a.yaml"), spec=Digest("d"), generation=3)
    common = {"renderer": "kustomize", "spec": {}, "timeout": timedelta(minutes=5), "prune": True}
    of_app = AppIntent(
        ref=declared.ref,
        source=git,
        interval=timedelta(minutes=10),
        retry_interval=timedelta(minutes=2),
        depends_on=(infra,),
        **common,  # type: ignore[arg-type]  # plain keyword arguments, shared to keep the line short
    )
    of_source = SourceIntent(
        ref=git, spec=None, content=Digest("c"), interval=timedelta(minutes=1), timeout=timedelta(seconds=60)
    )
    of_dependent = replace(of_source, depends_on=(infra,))

    scheduled = Scheduled.of(declared, of_app)

    assert scheduled.timing == Timing(interval=600, retry=120)
    assert scheduled.listens_to == {git, infra}
    assert scheduled.generation == 3
    assert Scheduled.of(declared, of_dependent).listens_to == {infra}
    assert Scheduled.of(declared, of_source).timing == Timing(interval=60, polls_when_stalled=True)
    assert Scheduled.of(declared, Unserved(ref=declared.ref)).timing == Timing()


async def test_a_thousand_sources_that_go_on_from_an_earlier_run_are_asked_evenly_over_an_interval() -> None:
    sources = [source(f"git{number}") for number in range(1000)]
    first: set[ObjectRef] = set()

    async def step(attempt: Attempt) -> Outcome:
        begins = attempt.ref not in first
        first.add(attempt.ref)
        return replace(outcome(attempt.ref, revision="r1"), retry_after=60.0 if begins else None)

    async with World() as world:
        world.steps = dict.fromkeys((s.ref for s in sources), step)
        world.scheduler.declare(sources)
        await anyio.sleep(60)

    polled = [times[1] for s in sources if (times := world.times(s))]
    assert len(polled) == 1000
    assert all(60 < number < 140 for number in Counter(int(time / 6) for time in polled).values())


async def test_who_waits_for_another_begins_once_with_all_wakes_when_there_is_news_of_it() -> None:
    git, parent, child = source(), app("parent", of=source()), app("child", of=source())

    async def reading(attempt: Attempt) -> Outcome:
        await anyio.sleep(5)
        del world.awaited[child.ref]
        world.scheduler.release(parent.ref)
        await anyio.sleep(5)
        return outcome(attempt.ref)

    async with World() as world:
        world.awaited[child.ref] = parent.ref
        world.steps[parent.ref] = reading
        world.scheduler.declare([git, parent, child])
        await anyio.sleep(1)
        world.scheduler.wake(child.ref, Reason.DRIFT)
        assert [world.scheduler.awaits(each.ref) for each in (parent, child)] == [None, parent.ref]

        await world.scheduler.settle()

        assert (world.times(parent), world.times(child)) == ([0], [5])
        assert world.reasons(child) == [{Reason.REVISION, Reason.DRIFT}]


async def test_a_conclusion_is_news_and_so_is_an_end() -> None:
    parent, child, orphan = app("parent"), app("child"), app("orphan")

    async def concluding(attempt: Attempt) -> Outcome:
        await anyio.sleep(2)
        del world.awaited[child.ref]
        return outcome(attempt.ref)

    async with World() as world:
        world.awaited |= {child.ref: parent.ref, orphan.ref: parent.ref}
        world.steps[parent.ref] = concluding
        world.scheduler.declare([parent, child, orphan])
        await anyio.sleep(3)
        assert (world.times(child), world.times(orphan)) == ([2], [])
        del world.awaited[orphan.ref]
        world.scheduler.declare([child, orphan])
        await world.scheduler.settle()
        assert world.times(orphan) == [3]


async def test_one_that_is_due_waits_as_well_and_a_stop_waits_for_nobody() -> None:
    parent, child = app("parent"), app("child")
    async with World() as world:
        world.scheduler.declare([parent, child])
        await world.scheduler.settle()
        world.awaited[child.ref] = parent.ref
        assert world.scheduler.awaits(child.ref) is None
        await anyio.sleep(2000)
        assert world.scheduler.awaits(child.ref) == parent.ref
        assert len(world.times(child)) == 1
        assert len(world.times(parent)) > 1
        await world.scheduler.stop()
        assert len(world.times(child)) == 1

"""Keeps one worker for each declared object, and passes news from one to those who listen to it.

There is no queue and no polling: sources begin at once, an app begins when its source has concluded once, and from then on
each is moved by its own due time and by wakes. Measured: a worker costs a few KiB and some microseconds, so that ten
thousand of them are cheaper than any shared queue. Workers live in the task group of whoever owns the scheduler; a bug in
the scheduler itself ends that group and the process, and the service manager starts it again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from random import Random

import anyio
from anyio.abc import TaskGroup

from gitopsd.model.errors import NotReady
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Outcome
from gitopsd.runtime.schedule import edges
from gitopsd.runtime.schedule.attempt import Attempt, Carry
from gitopsd.runtime.schedule.due import Pace
from gitopsd.runtime.schedule.scheduled import Scheduled
from gitopsd.runtime.schedule.turns import Turns
from gitopsd.runtime.schedule.wake import Reason
from gitopsd.runtime.schedule.worker import Worker

Awaited = Callable[[ObjectRef], ObjectRef | None]
"""Whose next news an object waits for before it begins an attempt; None where it may begin."""


class _Answer:
    """Where a request waits for the attempt that takes it up."""

    def __init__(self) -> None:
        self.given = anyio.Event()
        self.outcome: Outcome | None = None

    def give(self, outcome: Outcome | None) -> None:
        self.outcome = outcome
        self.given.set()


class Scheduler:
    """Starts, replaces and stops workers to match the declared set. `on_outcome` hears of each outcome and must not raise.

    All methods but `request`, `settle` and `stop` return at once. It belongs to one event loop.
    """

    def __init__(
        self,
        tasks: TaskGroup,
        carry: Carry,
        *,
        on_outcome: Callable[[Outcome], None],
        now: Callable[[], datetime],
        rng: Random,
        pace: Pace,
        awaited: Awaited,
    ) -> None:
        self._tasks = tasks
        self._carry = carry
        self._on_outcome = on_outcome
        self._now = now
        self._rng = rng
        self._pace = pace
        self._awaited = awaited
        self._turns = Turns()
        self._workers: dict[ObjectRef, Worker] = {}
        self._leaving: dict[ObjectRef, Worker] = {}
        self._listeners: Mapping[ObjectRef, frozenset[ObjectRef]] = {}
        self._held: dict[ObjectRef, set[ObjectRef]] = defaultdict(set)
        self._answers: dict[tuple[ObjectRef, str], list[_Answer]] = defaultdict(list)
        self._moved = anyio.Event()
        self._stopped = False

    def declare(self, declared: Iterable[Scheduled]) -> None:
        """Make the workers match this set: start what is new, wake what has another spec, end what is gone."""
        if self._stopped:
            return
        wanted = {scheduled.ref: scheduled for scheduled in declared}
        for ref in self._workers.keys() - wanted.keys():
            self._remove(ref)
        self._listeners = _listeners(wanted.values())
        changed = [s for s in wanted.values() if s.ref in self._workers]
        added = [s for s in wanted.values() if s.ref not in self._workers]
        for scheduled in changed:
            self._replace(scheduled)
        for scheduled in added:
            self._add(scheduled)
        for scheduled in added:
            if self._may_begin(scheduled):
                self._workers[scheduled.ref].wake(Reason.START)
        self._note()

    def wake(self, ref: ObjectRef, reason: Reason, token: str = "") -> bool:
        """Look at this object again; False when it is not declared."""
        worker = self._workers.get(ref)
        if worker is None:
            return False
        worker.wake(reason, token)
        return True

    def restless(self, ref: ObjectRef) -> bool:
        """Whether this object is looked at now, or is about to be."""
        worker = self._workers.get(ref)
        return worker is not None and not worker.settled

    def awaits(self, ref: ObjectRef) -> ObjectRef | None:
        """Whom this object is to look after, which is about to look; None where it may, or is about nothing."""
        worker = self._workers.get(ref)
        about = worker is not None and not (worker.settled or worker.attempting)
        return self._awaited(ref) if about else None

    def release(self, ref: ObjectRef) -> None:
        """There is news of this object: whoever waited for it before beginning asks again whether it may."""
        for held in self._held.pop(ref, ()):
            if held in self._workers:
                self._workers[held].nudge()

    def wake_dependants(self, ref: ObjectRef, reason: Reason = Reason.DEPENDENCY) -> None:
        """Wake everyone that listens to this object, as its own outcomes do by themselves."""
        for listener in self._listeners.get(ref, ()):
            self._workers[listener].wake(reason)

    async def request(self, ref: ObjectRef, token: str) -> Outcome:
        """Look at it now, and answer with the outcome of the attempt that takes up `token`.

        Raises `NotReady` when the object is not declared, or stops being so. The caller brings the time-out.
        """
        answer = _Answer()
        waiting = self._answers[ref, token]
        waiting.append(answer)
        if not self.wake(ref, Reason.REQUEST, token):
            self._give(ref, token, None)
        await answer.given.wait()
        if answer.outcome is None:
            raise NotReady(f"{ref}: is not declared; `gitopsd get` lists what is")
        return answer.outcome

    async def settle(self, refs: Iterable[ObjectRef] = ()) -> Mapping[ObjectRef, Outcome]:
        """Wait until these objects (all when none is named) and everything they wait for rest after an attempt.

        Failed, stalled and waiting objects rest too: nothing that is going on would move them. Answers with all outcomes
        so far. This is `reconcile --once`: the same wakes as in the daemon, in the same order. The caller brings the
        time-out, and reads `outcomes` after it.
        """
        wanted = tuple(refs)
        while (restless := self._restless(wanted)) is not None:
            while self._is_at_work(restless):  # all of them are looked at again only when this one rests, or is gone
                self._moved = anyio.Event()
                await self._moved.wait()
        return self.outcomes

    @property
    def outcomes(self) -> Mapping[ObjectRef, Outcome]:
        """The last outcome of each object that has one."""
        return {ref: worker.outcome for ref, worker in self._workers.items() if worker.outcome}

    @property
    def attempting(self) -> frozenset[ObjectRef]:
        """Objects with an attempt under way."""
        return frozenset(ref for ref, worker in self._workers.items() if worker.attempting)

    def due_in(self, ref: ObjectRef) -> float | None:
        """Seconds until the object is looked at by itself; None when only a wake moves it, or an attempt runs."""
        worker = self._workers.get(ref)
        if worker is None or worker.due_at is None:
            return None
        return max(0.0, worker.due_at - anyio.current_time())

    def closure(self, refs: Iterable[ObjectRef]) -> frozenset[ObjectRef]:
        """These objects and, over any number of steps, all declared ones that they listen to."""
        found: set[ObjectRef] = set()
        todo = list(refs)
        while todo:
            ref = todo.pop()
            if ref in self._workers and ref not in found:
                found.add(ref)
                todo.extend(self._workers[ref].scheduled.listens_to)
        return frozenset(found)

    async def stop(self, grace: float = 10.0) -> None:
        """End all workers: the resting ones and open gates now, running writes within `grace` seconds, then the rest."""
        self._stopped = True
        workers = [*self._workers.values(), *self._leaving.values()]
        for worker in workers:
            worker.stop()
        with anyio.move_on_after(grace):
            for worker in workers:
                await worker.ended.wait()
        for worker in workers:
            worker.cancel()
        for ref, token in list(self._answers):
            self._give(ref, token, None)
        self._note()

    def _add(self, scheduled: Scheduled) -> None:
        ref = scheduled.ref
        worker = Worker(
            scheduled,
            carry=self._carry,
            concluded=self._concluded,
            held=self._is_held,
            pace=self._pace,
            turns=self._turns,
            rng=self._rng,
            now=self._now,
        )
        self._workers[ref] = worker
        # A worker of the same name that was just cancelled may still be on its way out: never two attempts at a time.
        self._tasks.start_soon(worker.run, self._leaving.get(ref), name=str(ref))

    def _replace(self, scheduled: Scheduled) -> None:
        worker = self._workers[scheduled.ref]
        previous, worker.scheduled = worker.scheduled, scheduled
        if previous.spec != scheduled.spec or previous.listens_to != scheduled.listens_to:
            worker.wake(Reason.SPEC)

    def _remove(self, ref: ObjectRef) -> None:
        worker = self._workers.pop(ref)
        worker.cancel()
        self.release(ref)
        self._leaving = {r: w for r, w in self._leaving.items() if not w.ended.is_set()} | {ref: worker}
        for asked, token in list(self._answers):
            if asked == ref:
                self._give(ref, token, None)

    def _may_begin(self, scheduled: Scheduled) -> bool:
        source = self._workers.get(scheduled.source) if scheduled.source else None
        return source is None or source.outcome is not None

    def _concluded(self, attempt: Attempt, outcome: Outcome) -> None:
        worker = self._workers.get(attempt.ref)
        if worker is None or worker.outcome is not outcome:
            return
        for token in attempt.tokens:  # first, as hearing of its end may take the object away
            self._give(attempt.ref, token, outcome)
        self._on_outcome(outcome)
        if reason := edges.news(worker.previous, outcome):
            self.wake_dependants(attempt.ref, reason)
        else:
            self._wake_close(attempt.ref)
        self.release(attempt.ref)
        self._note()

    def _is_held(self, ref: ObjectRef) -> bool:
        other = self._awaited(ref)
        if other is None:
            return False
        self._held[other].add(ref)
        return True

    def _wake_close(self, ref: ObjectRef) -> None:
        for listener in self._listeners.get(ref, ()):
            if ref in self._workers[listener].scheduled.closely:
                self._workers[listener].wake(Reason.DEPENDENCY)

    def _give(self, ref: ObjectRef, token: str, outcome: Outcome | None) -> None:
        for answer in self._answers.pop((ref, token), ()):
            answer.give(outcome)

    def _restless(self, refs: tuple[ObjectRef, ...]) -> Worker | None:
        """One that does not rest yet, of these and all that they wait for."""
        workers = (self._workers[ref] for ref in (self.closure(refs) if refs else self._workers))
        return next((worker for worker in workers if not worker.settled), None)

    def _is_at_work(self, worker: Worker) -> bool:
        return self._workers.get(worker.scheduled.ref) is worker and not worker.settled

    def _note(self) -> None:
        self._moved.set()


def _listeners(declared: Iterable[Scheduled]) -> Mapping[ObjectRef, frozenset[ObjectRef]]:
    listeners: dict[ObjectRef, set[ObjectRef]] = defaultdict(set)
    for scheduled in declared:
        for heard in scheduled.listens_to:
            listeners[heard].add(scheduled.ref)
    return {heard: frozenset(who) for heard, who in listeners.items()}

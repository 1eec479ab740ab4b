from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.runtime.schedule import due, wake
from gitopsd.runtime.schedule.backoff import Backoff
from gitopsd.runtime.schedule.due import Pace, Record, Timing
from gitopsd.runtime.schedule.wake import Reason

AT = datetime(2026, 1, 1, tzinfo=UTC)
APP = Timing(interval=600, retry=60)
SOURCE = Timing(interval=60, polls_when_stalled=True)
SETTLED = Record(settled=True)


def outcome(phase: Phase, retry_after: float | None = None) -> Outcome:
    ref = ObjectRef(kind="Kustomization", namespace="flux-system", name="apps")
    return Outcome(ref=ref, phase=phase, generation=1, started=AT, finished=AT, retry_after=retry_after)


@given(seed=st.integers(), interval=st.floats(1, 1e6))
def test_a_ready_object_is_due_at_its_interval_within_five_percent(seed: int, interval: float) -> None:
    delay = due.delay(outcome(Phase.READY), Timing(interval=interval), Pace(), SETTLED, Random(seed))

    assert delay is not None
    assert interval * 0.95 <= delay <= interval * 1.05


@given(seed=st.integers())
def test_the_first_interval_after_a_start_is_spread_and_never_longer(seed: int) -> None:
    delay = due.delay(outcome(Phase.READY), APP, Pace(), Record(), Random(seed))

    assert delay is not None
    assert 300 <= delay <= 600


@given(seed=st.integers())
def test_a_source_that_goes_on_from_an_earlier_run_is_due_within_the_rest_of_its_interval(seed: int) -> None:
    delay = due.delay(outcome(Phase.READY, retry_after=20), SOURCE, Pace(), Record(), Random(seed))

    assert delay is not None
    assert 0 <= delay <= 20


def test_an_app_retries_after_its_fixed_retry_interval_however_often_it_failed() -> None:
    delays = {due.delay(outcome(Phase.RETRYING), APP, Pace(), Record(failures=n), Random(0)) for n in range(50)}

    assert delays == {60}


def test_a_source_backs_off_from_750_ms_to_15_minutes() -> None:
    pace = Pace(jitter=0.0)

    delays = [due.delay(outcome(Phase.RETRYING), SOURCE, pace, Record(failures=n), Random(0)) for n in (0, 1, 2, 500)]

    assert delays == [0.75, 1.5, 3.0, 900.0]


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_more_failures_never_wait_less(a: int, b: int) -> None:
    assert Backoff().delay(min(a, b)) <= Backoff().delay(max(a, b)) <= 900


def test_an_app_that_somebody_was_quicker_than_looks_again_soon_and_never_later_than_it_retries() -> None:
    quicker = replace(outcome(Phase.RETRYING), reason="Conflict")
    delays = [due.delay(quicker, APP, Pace(jitter=0), Record(failures=number), Random(0)) for number in (0, 1, 20)]
    assert delays == [0.75, 1.5, 60]


def test_a_retry_after_is_respected_up_to_an_hour() -> None:
    patient = due.delay(outcome(Phase.RETRYING, retry_after=200), APP, Pace(), SETTLED, Random(0))
    absurd = due.delay(outcome(Phase.RETRYING, retry_after=1e9), APP, Pace(), SETTLED, Random(0))

    assert (patient, absurd) == (200, 3600)


def test_a_stalled_source_resolves_at_its_interval_and_a_stalled_app_only_by_a_wake() -> None:
    source = due.delay(outcome(Phase.STALLED), SOURCE, Pace(jitter=0), SETTLED, Random(0))
    app = due.delay(outcome(Phase.STALLED), APP, Pace(), SETTLED, Random(0))

    assert (source, app) == (60, None)


def test_a_waiting_object_is_looked_at_again_after_five_minutes_as_a_safety_net() -> None:
    assert due.delay(outcome(Phase.WAITING), APP, Pace(jitter=0), SETTLED, Random(0)) == 300


@pytest.mark.parametrize("phase", [Phase.SUSPENDED, Phase.ORPHANED, Phase.UNSERVED, Phase.DELETED])
def test_objects_at_rest_are_never_due(phase: Phase) -> None:
    assert due.delay(outcome(phase), APP, Pace(), SETTLED, Random(0)) is None


def test_failures_are_counted_in_a_row_and_forgotten_by_anything_else() -> None:
    record = Record()
    for phase in (Phase.RETRYING, Phase.RETRYING, Phase.WAITING, Phase.RETRYING):
        record = record.after(outcome(phase))

    assert record == Record(failures=1)


@pytest.mark.parametrize(
    ("phase", "reason", "acts"),
    [
        (Phase.STALLED, Reason.DRIFT, True),
        (Phase.STALLED, Reason.CHECK, False),
        (Phase.STALLED, Reason.DEPENDENCY, False),
        (Phase.STALLED, Reason.REVISION, True),
        (Phase.STALLED, Reason.SPEC, True),
        (Phase.STALLED, Reason.REQUEST, True),
        (Phase.STALLED, Reason.RELEASED, True),
        (Phase.READY, Reason.DRIFT, True),
        (Phase.READY, Reason.DEPENDENCY, False),
        (Phase.WAITING, Reason.DEPENDENCY, True),
        (Phase.WAITING, Reason.DRIFT, True),
        (Phase.RETRYING, Reason.DRIFT, True),
        (Phase.SUSPENDED, Reason.DRIFT, False),
        (None, Reason.DRIFT, True),
    ],
)
def test_an_object_acts_on_a_wake_only_where_it_could_change_something(
    phase: Phase | None, reason: Reason, acts: bool
) -> None:
    assert wake.heeded(reason, phase) is acts

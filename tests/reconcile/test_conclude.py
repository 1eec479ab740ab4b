"""What an attempt comes to: the class of its error decides, and every message says which object."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes.things import APP, AT, declared, id_of

from gitopsd.model.change import Action, Result
from gitopsd.model.errors import (
    Conflict,
    GitopsdError,
    HeldElsewhere,
    Misconfigured,
    NotReady,
    Rejected,
    Transient,
    Unsupported,
    VerificationFailed,
)
from gitopsd.model.inventory import Suspension
from gitopsd.model.outcome import Phase, Step
from gitopsd.model.tree import Revision
from gitopsd.reconcile import conclude
from gitopsd.reconcile.conclude import Run

R1 = Revision(digest="sha1:1", name="main")
LATER = AT + timedelta(seconds=3)


def run(**given: object) -> Run:
    return Run(declared=declared(generation=4), started=AT, attempted=R1, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "phase", "reason"),
    [
        (NotReady("x"), Phase.WAITING, ""),
        (NotReady("x", reason="DeletionNotApproved"), Phase.WAITING, "DeletionNotApproved"),
        (Misconfigured("x"), Phase.STALLED, ""),
        (Unsupported("x"), Phase.STALLED, "FeatureNotSupported"),
        (VerificationFailed("x"), Phase.STALLED, "VerificationError"),
        (Transient("x"), Phase.RETRYING, ""),
        (Conflict("x"), Phase.RETRYING, "Conflict"),
        (Rejected("x", reason="Invalid"), Phase.RETRYING, "Invalid"),
        (HeldElsewhere("x"), Phase.RETRYING, "HeldElsewhere"),
    ],
)
def test_the_class_of_an_error_is_the_decision(error: GitopsdError, phase: Phase, reason: str) -> None:
    outcome = conclude.failed(run(step=Step.APPLY, applied=R1), error, LATER)
    assert (outcome.phase, outcome.reason, outcome.step) == (phase, reason, Step.APPLY)
    assert (outcome.generation, outcome.attempted, outcome.applied) == (4, R1, None)
    assert outcome.message == f"{APP}: x"
    assert outcome.duration == timedelta(seconds=3)


def test_a_message_names_its_object_once() -> None:
    assert conclude.failed(run(), Rejected(f"{APP}: no"), LATER).message == f"{APP}: no"


def test_the_health_gates_words_stay_as_tools_know_them() -> None:
    error = Rejected("timeout waiting for: [x]", reason="HealthCheckFailed")
    assert conclude.failed(run(step=Step.GATE), error, LATER).message == "timeout waiting for: [x]"


def test_the_other_sides_wish_to_be_left_alone_is_passed_on() -> None:
    assert conclude.failed(run(), Transient("x", retry_after=77), LATER).retry_after == 77


def test_a_suspension_ends_by_itself_where_it_has_an_end() -> None:
    held = Suspension(actor="ada", since=AT, reason="incident", until=LATER + timedelta(hours=1))
    outcome = conclude.suspended(run(suspension=held), LATER)
    assert (outcome.phase, outcome.message, outcome.retry_after) == (
        Phase.SUSPENDED,
        "suspended by ada: incident",
        3600,
    )
    assert conclude.suspended(run(), LATER).retry_after is None


def test_only_ready_carries_what_was_applied() -> None:
    assert conclude.ready(run(applied=R1), LATER).applied == R1
    assert conclude.deleted(run(applied=R1), LATER).applied is None


def test_the_ledger_has_a_row_for_what_changed_and_none_for_what_did_not() -> None:
    done = Result(id=id_of("a"), action=Action.CREATE)
    failed = Result(id=id_of("b"), action=Action.UPDATE, error=Transient("x"))
    outcome = conclude.ready(run(applied=R1, results={done.id: done, failed.id: failed}), LATER)
    row = conclude.ledger(outcome, cluster="test", actor="ada")
    assert row is not None
    assert (row.counts, row.revision, row.actor, row.at) == ({"create": 1}, str(R1), "ada", LATER)
    assert conclude.ledger(conclude.ready(run(applied=R1), LATER), cluster="test", actor="ada") is None

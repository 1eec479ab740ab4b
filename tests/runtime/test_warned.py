from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.runtime.shown import warned

REF = ObjectRef(kind="Kustomization", namespace="flux-system", name="apps")
AT = datetime(2026, 1, 1, tzinfo=UTC)
READY = {"type": "Ready", "status": "True"}


def outcome(*warnings: str, hours: int = 0) -> Outcome:
    at = AT + timedelta(hours=hours)
    return Outcome(ref=REF, phase=Phase.READY, generation=2, started=at, finished=at, warnings=warnings)


def test_a_warning_is_a_condition_that_stays_as_long_as_there_is_one() -> None:
    first = warned.status({"conditions": [READY]}, outcome("one"), {})
    assert first["conditions"] == [
        READY,
        {
            "type": "Warning",
            "status": "True",
            "observedGeneration": 2,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
            "reason": "Noticed",
            "message": "one",
        },
    ]
    second = warned.status({"conditions": [READY]}, outcome("one", "two", hours=1), first)
    assert second["conditions"][1] == {**first["conditions"][1], "message": "one; two"}
    assert warned.texts(second) == ("one; two",)
    assert warned.status(second, outcome(), second) == {"conditions": [READY]}


def test_without_warnings_a_status_is_left_alone() -> None:
    for status in ({}, {"conditions": []}, {"conditions": [READY], "observedGeneration": 1}):
        assert warned.status(status, outcome(), {}) == status
        assert warned.texts(status) == ()

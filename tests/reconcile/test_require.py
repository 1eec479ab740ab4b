"""What an app waits for, and that the message names it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.things import APP, AT, OTHER, SOURCE, app, declared, intent, source, source_intent

from gitopsd.model.digest import Digest
from gitopsd.model.errors import NotReady
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.model.tree import Artifact, Revision
from gitopsd.reconcile import require

R1, R2 = Revision(digest="sha1:1", name="main"), Revision(digest="sha1:2", name="main")
ARTIFACT = Artifact(source=SOURCE, revision=R1, tree=Digest("t"), size=1, files=1, stored=AT, spec=Digest("s"))


def outcome(
    phase: Phase = Phase.READY, *, applied: Revision | None = R1, message: str = "", generation: int = 1
) -> Outcome:
    return Outcome(
        ref=OTHER,
        phase=phase,
        generation=generation,
        message=message,
        started=AT,
        finished=AT,
        attempted=R1,
        applied=applied,
    )


def test_the_artifact_of_its_source_is_rendered() -> None:
    assert require.artifact(intent(), {SOURCE: source_intent()}, {SOURCE: ARTIFACT}) == ARTIFACT


@pytest.mark.parametrize(
    ("intents", "words"),
    [
        ({}, "is not declared; declare it or correct the source reference"),
        ({SOURCE: source_intent()}, "has no artifact yet"),
    ],
)
def test_a_missing_artifact_names_the_source(intents: dict, words: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(NotReady) as caught:
        require.artifact(intent(), intents, {})
    assert str(caught.value) == f"{APP}: {SOURCE} {words}"


MISSING = {
    "is not declared": (None, None),
    "has not been reconciled yet": (intent(OTHER), None),
    "is not ready: it broke": (intent(OTHER), outcome(Phase.STALLED, message="it broke")),
    "is not ready": (intent(OTHER), outcome(Phase.SUSPENDED)),
    "has a newer declaration that is not reconciled yet": (intent(OTHER), outcome(generation=0)),
    "is at main@sha1:1, not at main@sha1:2 yet": (intent(OTHER), outcome()),
}


@pytest.mark.parametrize("words", MISSING)
def test_a_dependency_that_is_not_there_yet_is_named(words: str) -> None:
    found, last = MISSING[words]
    with pytest.raises(NotReady) as caught:
        require.dependencies(
            intent(after=(OTHER,)),
            str(R2),
            {OTHER: found} if found else {},
            {OTHER: declared(OTHER)},
            {OTHER: last} if last else {},
        )
    assert str(caught.value) == f"{APP}: dependency {OTHER} {words}"


@pytest.mark.parametrize(
    ("depended", "last"),
    [
        (intent(OTHER), outcome(applied=R2)),
        (intent(OTHER, of=source("another")), outcome(applied=R1)),
        (intent(OTHER), replace(outcome(applied=None), attempted=R2)),
        (source_intent(OTHER), outcome(applied=R1)),
    ],
    ids=["same source, same revision", "another source", "planned at this revision", "a source"],
)
def test_a_ready_dependency_is_enough(depended: object, last: Outcome) -> None:
    require.dependencies(
        intent(after=(OTHER,)),
        str(R2),
        {OTHER: depended},
        {OTHER: declared(OTHER)},
        {OTHER: last},  # type: ignore[dict-item]
    )


def test_the_first_that_is_missing_is_named() -> None:
    with pytest.raises(NotReady, match="one"):
        require.dependencies(intent(after=(app("one"), app("two"))), "r", {}, {}, {})


def test_a_source_of_a_kind_that_is_not_served_yet_is_said_to_be_so() -> None:
    with pytest.raises(NotReady, match="is of a kind that is not served yet"):
        require.artifact(intent(), {}, {}, {SOURCE.kind})

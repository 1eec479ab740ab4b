"""What an app waits for, and that the message names it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakes import cases
from fakes.things import APP, AT, OTHER, SOURCE, app, declared, intent, source, source_intent

from gitopsd.config import references
from gitopsd.model.declared import AppIntent
from gitopsd.model.digest import Digest
from gitopsd.model.errors import NotReady
from gitopsd.model.identity import ObjectRef
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
    assert require.artifact(intent(), {SOURCE: source_intent()}, ARTIFACT) == ARTIFACT


@pytest.mark.parametrize(
    ("intents", "words"),
    [
        ({}, "is not declared; declare it or correct the source reference"),
        ({SOURCE: source_intent()}, "has no artifact yet"),
    ],
)
def test_a_missing_artifact_names_the_source(intents: dict, words: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(NotReady) as caught:
        require.artifact(intent(), intents, None)
    assert str(caught.value) == f"{APP}: {SOURCE} {words}"


PART = ObjectRef(kind=SOURCE.kind, namespace=SOURCE.namespace, name="part")


def test_a_source_that_blends_what_it_reads_is_another_one_with_each_of_it() -> None:
    whole = replace(source_intent(), reads=(PART,), blends=True)
    first, second = replace(ARTIFACT, source=PART), replace(ARTIFACT, source=PART, tree=Digest("u"))

    made = [require.upstream(whole, {PART: source_intent()}, {PART: part}, {}) for part in (first, first, second)]

    assert made[0].content == made[1].content
    assert len({whole.content, made[0].content, made[2].content}) == 3


def test_a_source_that_only_reads_is_the_same_whatever_it_reads() -> None:
    reader = replace(source_intent(), reads=(PART,))
    assert require.upstream(reader, {PART: source_intent()}, {PART: ARTIFACT}, {}) == reader


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
        require.artifact(intent(), {}, None, {SOURCE.kind})


READY = ({OTHER: intent(OTHER)}, {OTHER: declared(OTHER)}, {OTHER: outcome(applied=R2)})
NOT_READY = ({OTHER: intent(OTHER)}, {OTHER: declared(OTHER)}, {OTHER: outcome(Phase.RETRYING, message="it broke")})


def test_an_expression_decides_instead_of_the_rule() -> None:
    require.dependencies(intent(after=(OTHER,)), str(R2), *NOT_READY, {OTHER: ""})
    with pytest.raises(NotReady, match=f"dependency {OTHER} is not ready: its readyExpr is false"):
        require.dependencies(intent(after=(OTHER,)), str(R2), *READY, {OTHER: "is not ready: its readyExpr is false"})


def test_an_additive_expression_comes_on_top_of_the_rule() -> None:
    require.dependencies(intent(after=(OTHER,)), str(R2), *READY, {OTHER: ""}, additive=True)
    with pytest.raises(NotReady, match="it broke"):
        require.dependencies(intent(after=(OTHER,)), str(R2), *NOT_READY, {OTHER: ""}, additive=True)
    with pytest.raises(NotReady, match="false"):
        require.dependencies(intent(after=(OTHER,)), str(R2), *READY, {OTHER: "is false"}, additive=True)


def ref_of(named: dict[str, str], namespace: str = "") -> ObjectRef:
    return ObjectRef(
        kind="Kustomization",
        namespace=named.get("Namespace") or named.get("namespace") or namespace,
        name=named.get("Name") or named["name"],
    )


@pytest.mark.parametrize("case", cases.flux("dependency"))
def test_the_order_is_that_of_flux(case: dict[str, Any]) -> None:
    """Everything that may go, goes: each round ends with what only then became possible."""
    wanted = {
        ref_of(o): intent(ref_of(o), after=tuple(ref_of(d, o["namespace"]) for d in o.get("dependsOn", ())))
        for o in case["objects"]
    }
    missing = {ref: intent(ref) for app in wanted.values() for ref in app.depends_on if ref not in wanted}
    assert {misfit.mentioned for misfit in references.dangling(wanted, set(wanted), ())} - {SOURCE} == set(missing)
    cycles = list(references.cyclic(wanted))
    assert bool(cycles) == bool(case["error"])
    if cycles:
        path = case["error"].partition(": ")[2].split(" -> ")
        assert set(path) == {f"{ref.namespace}/{ref.name}" for ref in wanted}
        return
    order = rounds({**wanted, **missing})
    ends = [ref_of(named) for named in case["want"]]
    place = {ref: number for number, group in enumerate(order) for ref in group}
    assert set(place) == set(ends)
    for it in wanted.values():
        assert all(place[ref] < place[it.ref] and ends.index(ref) < ends.index(it.ref) for ref in it.depends_on)


def rounds(apps: dict[ObjectRef, AppIntent]) -> list[set[ObjectRef]]:
    ready: dict[ObjectRef, Outcome] = {}
    order: list[set[ObjectRef]] = []
    while len(ready) < len(apps):
        done = {ref for ref, app in apps.items() if ref not in ready and may_go(app, apps, ready)}
        assert done, "nothing moves any more"
        ready |= {ref: replace(outcome(applied=R2), ref=ref) for ref in done}
        order.append(done)
    return order


def may_go(app: AppIntent, apps: dict[ObjectRef, AppIntent], ready: dict[ObjectRef, Outcome]) -> bool:
    try:
        require.dependencies(app, str(R2), apps, {ref: declared(ref) for ref in apps}, ready)
    except NotReady:
        return False
    return True


READER = ObjectRef(kind="HelmChart", namespace="flux-system", name="web")


@pytest.mark.parametrize(
    ("intents", "artifacts", "outcomes", "words"),
    [
        ({}, {}, {}, "is not declared; declare it or correct the reference"),
        ({SOURCE: source_intent()}, {}, {}, "has no artifact yet"),
        ({SOURCE: replace(source_intent(), bare=True)}, {}, {}, "is not ready"),
        (
            {SOURCE: replace(source_intent(), bare=True)},
            {SOURCE: ARTIFACT},
            {SOURCE: outcome(Phase.STALLED)},
            "is not ready",
        ),
    ],
)
def test_a_source_that_reads_another_waits_for_something_to_read(
    intents: dict[Any, Any], artifacts: dict[Any, Any], outcomes: dict[Any, Any], words: str
) -> None:
    reader = replace(source_intent(), ref=READER, reads=(SOURCE,))
    with pytest.raises(NotReady) as caught:
        require.upstream(reader, intents, artifacts, outcomes)
    assert str(caught.value) == f"{READER}: {SOURCE} {words}"


@pytest.mark.parametrize(
    ("found", "artifacts", "outcomes"),
    [
        (source_intent(), {SOURCE: ARTIFACT}, {SOURCE: outcome(Phase.RETRYING)}),
        (replace(source_intent(), bare=True), {}, {SOURCE: outcome()}),
    ],
    ids=["the last artifact of one that fails now", "one that has no content of its own"],
)
def test_a_source_that_reads_another_takes_what_there_is(
    found: Any, artifacts: dict[Any, Any], outcomes: dict[Any, Any]
) -> None:
    require.upstream(replace(source_intent(), reads=(SOURCE,)), {SOURCE: found}, artifacts, outcomes)
    require.upstream(source_intent(), {}, {}, {})

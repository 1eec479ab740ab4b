"""What an object waits for: the chain to the one at which it hangs, and what would unblock that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from gitopsd.model.declared import AppIntent, Hold, Intent, SourceIntent, Unserved
from gitopsd.model.digest import Digest
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Phase
from gitopsd.runtime.shown import why
from gitopsd.runtime.shown.view import Link, View

SOON = timedelta(minutes=1)
SOURCE = ObjectRef(kind="GitRepository", namespace="flux-system", name="repo")


def ref(name: str) -> ObjectRef:
    return ObjectRef(kind="Kustomization", namespace="flux-system", name=name)


def app(name: str, *needs: str, **more: Any) -> AppIntent:
    return AppIntent(
        ref=ref(name), source=SOURCE, renderer="r", spec={}, interval=SOON, retry_interval=SOON, timeout=SOON, prune=True,
        depends_on=tuple(map(ref, needs)), **more,
    )  # fmt: skip


def view(of: ObjectRef, phase: Phase = Phase.READY, message: str = "", **more: Any) -> View:
    ready = {Phase.READY: True, Phase.PROGRESSING: None}.get(phase, False)
    since = {"status": {"conditions": [{"type": "Ready", "lastTransitionTime": f"since-{of.name}"}]}}
    return View(
        ref=of,
        phase=phase,
        ready=ready,
        message=message,
        revision="r",
        place=f"{of.name}.yaml:1",
        document=since,
        **more,
    )


INTENTS: dict[ObjectRef, Intent] = {
    SOURCE: SourceIntent(ref=SOURCE, spec=None, content=Digest("d"), interval=SOON, timeout=SOON),
    **{ref(name): app(name, *needs) for name, *needs in (["a"], ["b", "a"], ["c", "b"], ["d", "c"], ["e", "d"])},
}
VIEWS = {it: view(it) for it in INTENTS}


def chain(
    name: str,
    changed: dict[ObjectRef, View | None],
    intents: dict[ObjectRef, Intent] | None = None,
    awaits: dict[ObjectRef, ObjectRef] | None = None,
) -> tuple[Link, ...]:
    views: dict[ObjectRef, View | None] = {**VIEWS, **changed}
    return why.chain(ref(name), views.get, intents or INTENTS, {}, (awaits or {}).get)


def waiting(*names: str) -> dict[ObjectRef, View | None]:
    return {ref(name): view(ref(name), Phase.WAITING, "a dependency is not ready") for name in names}


def test_a_chain_of_five_with_one_broken_link_ends_at_that() -> None:
    broken = view(
        ref("b"), Phase.RETRYING, "Kustomization/flux-system/b: Deployment/web/api: its container crashes", due=42.0
    )
    links = chain("e", {**waiting("c", "d", "e"), ref("b"): broken})
    assert [(link.ref.name, link.state) for link in links] == [
        ("e", "waiting"),
        ("d", "waiting"),
        ("c", "waiting"),
        ("b", "retrying"),
    ]
    assert links[-1].message == "Deployment/web/api: its container crashes"
    assert links[-1].unblock == "what its message names; tried again in 42 s"
    assert links[-1].since == "since-b"
    assert links[0].unblock == "Kustomization/flux-system/d becoming ready"


def test_what_is_ready_waits_for_nobody() -> None:
    [link] = chain("e", {})
    assert (link.state, link.unblock) == ("ready", "nothing: it waits for nobody")


def test_held_deletions_are_named() -> None:
    [link] = why.chain(ref("a"), VIEWS.get, INTENTS, {ref("a"): frozenset({ref("b")})}, {}.get)
    assert link.unblock.endswith("its deletions wait for Kustomization/flux-system/b")


def test_a_suspended_link_says_how_it_is_resumed() -> None:
    links = chain("b", {**waiting("b"), ref("a"): view(ref("a"), Phase.SUSPENDED, suspended=True)})
    assert links[-1].unblock == "gitopsd resume Kustomization/flux-system/a"
    held = {**INTENTS, ref("a"): app("a", hold=Hold())}
    links = chain("b", {**waiting("b"), ref("a"): view(ref("a"), Phase.SUSPENDED, suspended=True)}, held)
    assert links[-1].unblock == "resume it in its declaration (a.yaml:1)"


def test_a_source_without_an_artifact_is_waited_for_first() -> None:
    lost = replace(view(SOURCE, Phase.RETRYING, "not found"), revision="")
    links = chain("b", {**waiting("a", "b"), SOURCE: lost})
    assert [link.ref for link in links] == [ref("b"), SOURCE]


def test_a_failing_source_whose_old_artifact_serves_on_is_not_waited_for() -> None:
    links = chain("b", {**waiting("a", "b"), SOURCE: view(SOURCE, Phase.RETRYING, "away")})
    assert [link.ref for link in links] == [ref("b"), ref("a")]


def test_an_undeclared_dependency_is_the_end() -> None:
    links = chain("b", {**waiting("b"), ref("a"): None})
    assert (links[-1].state, links[-1].message) == ("missing", "is not declared")


def test_a_deletion_that_waits_for_an_approval_says_so() -> None:
    refused = view(ref("a"), Phase.WAITING, "3 deletions wait", reason="DeletionNotApproved", plan="sha256:1")
    [link] = chain("a", {ref("a"): refused})
    assert link.unblock == "gitopsd approve Kustomization/flux-system/a --plan sha256:1"


def test_a_kind_that_is_not_served_unblocks_by_nothing() -> None:
    chart = ObjectRef(kind="HelmRelease", namespace="flux-system", name="chart")
    shown = View(ref=chart, phase=Phase.UNSERVED, ready=None, message="not served yet")
    [link] = why.chain(chart, {chart: shown}.get, {chart: Unserved(ref=chart)}, {}, {}.get)
    assert link.unblock == "nothing: its kind is not served yet"


def test_one_that_is_to_look_after_its_parent_says_so_however_it_is() -> None:
    parent = view(ref("a"), Phase.PROGRESSING, "Deployment/web/api: 1 of 2 updated")
    for child in (view(ref("e")), view(ref("e"), Phase.RETRYING, "what went wrong before")):
        links = chain("e", {ref("a"): parent, ref("e"): child}, awaits={ref("e"): ref("a")})
        assert [(link.ref.name, link.state) for link in links] == [("e", "waiting"), ("a", "progressing")]
        assert links[0].message == (
            "looks at what is new after Kustomization/flux-system/a, which may change or end its declaration"
        )
        assert links[0].unblock == "Kustomization/flux-system/a having looked"


def test_one_that_is_suspended_waits_for_nobody_to_look() -> None:
    links = chain("e", {ref("e"): view(ref("e"), suspended=True)}, awaits={ref("e"): ref("a")})
    assert [(link.ref.name, link.state) for link in links] == [("e", "suspended")]

"""What happens to an object that its app wants no more, and which deletions wait for an approval."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakes.things import APP, OTHER, app, deletion, id_of, live, record, recorded
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.model.change import Action, Change, Engine, Live, Ours, Unmanaged
from gitopsd.model.declared import Treatment, WriteMode
from gitopsd.model.errors import Rejected
from gitopsd.reconcile import prune
from gitopsd.reconcile.prune import Budget, Ground

ID = id_of("a")
CHILD = id_of("child", "Kustomization", namespace="flux-system", group="kustomize.toolkit.fluxcd.io")


def decided(seen: Live | None = None, **given: Any) -> Change:
    base = Ground(app=APP, enabled=True, live={ID: seen} if seen else {})
    return prune.unwanted(record("a"), frozenset(), replace(base, **given))[0]


def child(**given: Any) -> Change:
    base = Ground(app=APP, enabled=True, live={}, children={CHILD: 3})
    return prune.unwanted(recorded(CHILD), frozenset(), replace(base, **given))[0]


UNREAD = {ID: Rejected("403")}
KEEP = {ID: Treatment(keep=True, why="kustomize.toolkit.fluxcd.io/prune: disabled")}
CASES: dict[str, tuple[Change, Action, str]] = {
    "ours": (decided(live("a")), Action.DELETE, ""),
    "gone": (decided(), Action.SKIP, "it is gone already"),
    "out of sight": (decided(unread=UNREAD), Action.HOLD, "it cannot be looked at: 403"),
    "out of sight, prune is off": (
        decided(unread=UNREAD, enabled=False),
        Action.SKIP,
        "prune is off: it stays and is not tracked any more",
    ),
    "out of sight, moved": (
        decided(unread=UNREAD, movers={ID: OTHER}, tracked=frozenset({ID})),
        Action.SKIP,
        f"moves to {OTHER}",
    ),
    "prune is off": (
        decided(live("a"), enabled=False),
        Action.SKIP,
        "prune is off: it stays and is not tracked any more",
    ),
    "nobody's by now": (
        decided(live("a", owner=Unmanaged())),
        Action.SKIP,
        "it does not carry our owner labels any more",
    ),
    "another engine's by now": (
        decided(live("a", owner=Engine(name="Flux"))),
        Action.SKIP,
        "it does not carry our owner labels any more",
    ),
    "another app's by now": (
        decided(live("a", owner=Ours(app=OTHER))),
        Action.SKIP,
        "it does not carry our owner labels any more",
    ),
    "marked": (decided(live("a"), treatments=KEEP), Action.SKIP, "kustomize.toolkit.fluxcd.io/prune: disabled"),
    "ignored": (
        decided(live("a"), treatments={ID: Treatment(mode=WriteMode.IGNORE, why="ignored")}),
        Action.SKIP,
        "ignored",
    ),
    "moves, not tracked there yet": (decided(live("a"), movers={ID: OTHER}), Action.HOLD, f"moves to {OTHER}"),
    "moves, tracked there": (
        decided(live("a"), movers={ID: OTHER}, tracked=frozenset({ID})),
        Action.SKIP,
        f"moves to {OTHER}",
    ),
    "another app may want it": (
        decided(live("a"), waiting=(OTHER,)),
        Action.HOLD,
        f"held: {OTHER} has not rendered this revision yet",
    ),
    "being deleted": (decided(live("a", terminating=True)), Action.HOLD, "it is being deleted"),
    "a child": (child(), Action.DELETE, "no longer declared by its parent"),
    "a child, prune is off": (child(enabled=False), Action.SKIP, "prune is off: it stays and is not tracked any more"),
    "a child that moves": (child(movers={CHILD: OTHER}), Action.HOLD, f"moves to {OTHER}"),
    "a child that another app may want": (
        child(waiting=(OTHER,)),
        Action.HOLD,
        f"held: {OTHER} has not rendered this revision yet",
    ),
    "a child that is marked": (child(treatments={CHILD: Treatment(keep=True, why="marked")}), Action.SKIP, "marked"),
}


@pytest.mark.parametrize("case", CASES)
def test_an_unwanted_object_is_decided_with_a_reason(case: str) -> None:
    change, action, reason = CASES[case]
    assert (change.action, change.reason, change.deletion) == (action, reason, True)


def test_what_is_wanted_is_no_matter_of_pruning() -> None:
    assert prune.unwanted(record("a"), frozenset({ID}), Ground(app=APP, enabled=True, live={})) == ()


def test_a_holder_knows_whom_it_waits_for() -> None:
    base = Ground(app=APP, enabled=True, live={ID: live("a"), id_of("b"): live("b")})
    ground = replace(base, movers={ID: OTHER}, waiting=(app("third"),))
    changes = prune.unwanted(record("a", "b"), frozenset(), ground)
    assert prune.awaited(changes, ground) == {OTHER, app("third")}
    assert prune.awaited([], ground) == frozenset()


NOBODY = Ground(app=APP, enabled=True, live={})


@given(total=st.integers(1, 40), gone=st.integers(1, 40), approved=st.booleans())
def test_more_than_half_of_an_app_and_at_least_three_wait_for_an_approval(
    total: int, gone: int, approved: bool
) -> None:
    names = [f"n{number}" for number in range(max(total, gone))]
    changes = [deletion(name) for name in names[:gone]]
    allowed = prune.budgeted(changes, record(*names), NOBODY, Budget(), approved=approved)
    refused = not approved and gone >= 3 and gone * 2 > len(names)
    assert {c.action for c in allowed} == {Action.REFUSE if refused else Action.DELETE}


def test_children_count_with_all_their_objects_on_both_sides() -> None:
    other = replace(CHILD, name="other")
    changes = [Change(id=CHILD, action=Action.DELETE, deletion=True)]

    def with_sizes(one: int, two: int) -> Action:
        ground = replace(NOBODY, children={CHILD: one, other: two})
        return prune.budgeted(changes, recorded(CHILD, other, ID), ground, Budget(), approved=False)[0].action

    assert with_sizes(10, 100) is Action.DELETE
    assert with_sizes(10, 2) is Action.REFUSE
    assert with_sizes(2, 0) is Action.DELETE


def test_what_was_only_intended_counts_in_no_total() -> None:
    changes = [deletion(name) for name in "abc"]
    known = record("a", "b", "c", "d", intended=("e", "f", "g"))
    assert prune.budgeted(changes, known, NOBODY, Budget(), approved=False)[0].action is Action.REFUSE


def namespace(*beside: Live, **given: Any) -> tuple[Change, ...]:
    changes = [deletion("shop", kind="Namespace"), deletion("own")]
    volumes = given.pop("volumes", ())
    changes += [deletion(name, kind="PersistentVolumeClaim") for name in volumes]
    budget = Budget(mass_deletion=False, collateral={changes[0].id: beside})
    return prune.budgeted(changes, record("x"), NOBODY, budget, approved=False)


def test_a_namespace_goes_with_planned_objects_and_what_those_own() -> None:
    pods = (live("replicas", owners=("uid-own",)), live("pod", owners=("uid-replicas",)))
    assert [c.action for c in namespace(live("own"), *pods)] == [Action.DELETE, Action.DELETE]


def test_a_namespace_that_would_take_others_along_is_refused_and_names_them() -> None:
    others = [live(f"other-{number}", owner=Unmanaged()) for number in range(5)]
    refused, own = namespace(live("own"), *others)
    assert (refused.action, own.action) == (Action.REFUSE, Action.DELETE)
    assert refused.reason == (
        "deleting it would take along objects that are not in the plan: ConfigMap/default/other-0, "
        "ConfigMap/default/other-1, ConfigMap/default/other-2 and 2 more"
    )


def test_a_kind_that_cannot_be_listed_counts_as_present() -> None:
    unknown = replace(live("", owner=Unmanaged()), uid="")
    assert namespace(unknown)[0].action is Action.REFUSE


def test_a_volume_that_waits_for_an_approval_keeps_its_namespace() -> None:
    changes = namespace(live("own"), live("data", "PersistentVolumeClaim"), volumes=("data",))
    assert [c.action for c in changes] == [Action.REFUSE, Action.DELETE, Action.REFUSE]
    assert changes[2].reason == "deleting a volume may lose its data"


def test_after_the_hold_timeout_the_deletion_waits_for_an_approval() -> None:
    [refused] = prune.budgeted([deletion("a")], record("a", "b", "c"), NOBODY, Budget(overdue=(OTHER,)), approved=False)
    assert refused.action is Action.REFUSE
    assert refused.reason == f"{OTHER} may want it and has not rendered this revision for long"


def test_each_rule_can_be_turned_off() -> None:
    changes = [deletion(name, kind="PersistentVolume") for name in "abc"]
    off = Budget(mass_deletion=False, volumes=False)
    assert {c.action for c in prune.budgeted(changes, record(), NOBODY, off, approved=False)} == {Action.DELETE}


def test_only_deletions_are_refused() -> None:
    kept = deletion("held", Action.HOLD)
    changes = prune.budgeted([*(deletion(n) for n in "abc"), kept], record("a"), NOBODY, Budget(), approved=False)
    assert changes[3] == kept


def test_those_of_the_same_source_that_have_not_rendered_it_hold() -> None:
    source, other = app("repo"), app("elsewhere")
    others = [
        (APP, source, "r2"),
        (app("late"), source, "r1"),
        (app("never"), source, None),
        (app("there"), source, "r2"),
        (app("apart"), other, "r1"),
    ]
    assert prune.holders(APP, source, "r2", others) == (app("late"), app("never"))

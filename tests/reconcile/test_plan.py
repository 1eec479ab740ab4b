"""What is done with each wanted object, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakes.things import APP, CLUSTER, OTHER, deletion, id_of, live, manifest, planned
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.model.change import Action, Applied, Change, Engine, Live, Ours, Rehearsal, Sight, Unmanaged
from gitopsd.model.declared import Adopt, Atomic, DriftPolicy, Treatment, WriteMode
from gitopsd.model.errors import Misconfigured, NotReady, Rejected, Transient
from gitopsd.model.health import Health, Verdict
from gitopsd.reconcile import plan
from gitopsd.reconcile.plan import Ground

A = manifest("a", data={"key": "new"})
ID = A.id


def ground(**given: Any) -> Ground:
    return replace(Ground(app=APP, adopt=Adopt.UNMANAGED, atomic=Atomic.STAGE, live={}), **given)


def decided(seen: Live | None = None, rehearsal: Rehearsal | None = None, **given: Any) -> Change:
    lives = {ID: seen} if seen else {}
    rehearsals = {ID: rehearsal} if rehearsal else {}
    return planned([A], ground(live=lives, rehearsals=rehearsals, **given))[0]


def rehearsed(mark: str = "m2", **body: Any) -> Rehearsal:
    return Rehearsal(id=ID, body={**live("a", data={"key": "new"}).body, **body}, mark=mark)


SAME = live("a", data={"key": "new"})
CASES: dict[str, tuple[Change, Action, str]] = {
    "not there": (decided(), Action.CREATE, ""),
    "as applied": (decided(SAME, applied={ID: Applied(manifest=A.digest, mark="m1")}), Action.UNCHANGED, ""),
    "the server says that nothing would change": (decided(SAME, rehearsed("m1")), Action.UNCHANGED, ""),
    "a field differs": (decided(live("a", data={"key": "old"}), rehearsed()), Action.UPDATE, ""),
    "a field differs that a mark hides": (decided(live("a", data={"key": "old"}), rehearsed("m1")), Action.UPDATE, ""),
    "only ownership differs": (decided(SAME, rehearsed()), Action.UPDATE, "field ownership only"),
    "drifted since": (
        decided(live("a", mark="m9"), applied={ID: Applied(manifest=A.digest, mark="m1")}),
        Action.UPDATE,
        "not compared yet",
    ),
    "another app's": (
        decided(live("a", owner=Ours(app=OTHER)), rehearsed()),
        Action.ADOPT,
        f"moved from {OTHER}",
    ),
    "kubectl's": (
        decided(live("a", owner=Unmanaged(managers=("kubectl",))), rehearsed()),
        Action.ADOPT,
        "taken over from kubectl",
    ),
    "kubectl's, and adoption is off": (
        decided(live("a", owner=Unmanaged(managers=("kubectl",))), adopt=Adopt.NEVER),
        Action.REFUSE,
        "it exists already and is not ours (managers: kubectl); Settings.adopt says never",
    ),
    "another engine's": (
        decided(live("a", owner=Engine(name="Flux"))),
        Action.REFUSE,
        f'it is managed by Flux; to take it over set the annotation gitopsd.io/adopt: "true" on {APP}',
    ),
    "another engine's, and the user says so": (
        decided(live("a", owner=Engine(name="Flux")), rehearsed(), adopt=Adopt.ALWAYS),
        Action.ADOPT,
        "taken over from Flux",
    ),
    "wanted by two": (
        decided(taken={ID: OTHER}),
        Action.REFUSE,
        f"{OTHER} wants it too; an object can belong to one app only",
    ),
    "being deleted": (
        decided(live("a", terminating=True)),
        Action.REFUSE,
        "it is being deleted; it is applied again once it is gone",
    ),
    "to be ignored": (
        decided(SAME, treatments={ID: Treatment(mode=WriteMode.IGNORE, why="marked")}),
        Action.SKIP,
        "marked",
    ),
    "to be ignored, and another's": (
        decided(treatments={ID: Treatment(mode=WriteMode.IGNORE, why="marked")}, taken={ID: OTHER}),
        Action.SKIP,
        "marked",
    ),
    "out of sight": (decided(unread={ID: Rejected("403")}), Action.REFUSE, "403"),
    "out of sight, and to be ignored": (
        decided(unread={ID: Rejected("403")}, treatments={ID: Treatment(mode=WriteMode.IGNORE, why="marked")}),
        Action.SKIP,
        "marked",
    ),
    "create only, out of sight": (
        decided(unread={ID: Rejected("403")}, treatments={ID: Treatment(mode=WriteMode.CREATE_ONLY, why="marked")}),
        Action.REFUSE,
        "403",
    ),
    "create only, there": (
        decided(SAME, treatments={ID: Treatment(mode=WriteMode.CREATE_ONLY, why="marked")}),
        Action.SKIP,
        "marked",
    ),
    "create only, missing": (
        decided(treatments={ID: Treatment(mode=WriteMode.CREATE_ONLY, why="marked")}),
        Action.CREATE,
        "",
    ),
    "kept from pruning": (decided(treatments={ID: Treatment(keep=True, why="marked")}), Action.CREATE, ""),
    "of an unknown kind": (
        decided(None, Rehearsal(id=ID, error=NotReady("no matches"), waits=True)),
        Action.CREATE,
        "the cluster does not know its kind yet",
    ),
    "in a namespace that comes with the app": (
        decided(None, Rehearsal(id=ID, error=Rejected("not found"), waits=True), namespaces=frozenset({"default"})),
        Action.CREATE,
        "its namespace comes with this app",
    ),
    "in a namespace that nobody brings": (
        decided(None, Rehearsal(id=ID, error=Rejected("not found"), waits=True)),
        Action.REFUSE,
        "not found",
    ),
    "refused by the server": (decided(None, Rehearsal(id=ID, error=Rejected("invalid"))), Action.REFUSE, "invalid"),
}


IMMUTABLE = Rehearsal(id=ID, error=Rejected("field is immutable"), immutable=True)
FORCED = {ID: Treatment(force=True)}
LEFT = "left so, as gitopsd.io/drift is"
BEFORE = {ID: Applied(manifest=A.digest, mark="m0")}
"""Git did not change it since it was applied; the cluster did."""

CASES |= {
    "immutable, and not forced": (
        decided(SAME, IMMUTABLE),
        Action.REFUSE,
        "field is immutable; a field of it cannot be changed in place: delete it, or let it be re-created (force)",
    ),
    "immutable, and the app forces": (
        decided(SAME, IMMUTABLE, force=True),
        Action.RECREATE,
        "a field of it cannot be changed in place",
    ),
    "immutable, and the object asks for it": (
        decided(SAME, IMMUTABLE, treatments=FORCED),
        Action.RECREATE,
        "a field of it cannot be changed in place",
    ),
    "invalid otherwise, and forced": (
        decided(SAME, Rehearsal(id=ID, error=Rejected("invalid")), force=True, treatments=FORCED),
        Action.REFUSE,
        "invalid",
    ),
    "changed by somebody, who is left alone": (
        decided(live("a", data={"key": "old"}), drift=DriftPolicy.DISABLED, applied=BEFORE),
        Action.SKIP,
        f"somebody changed it; {LEFT} disabled",
    ),
    "changed by somebody, who is told": (
        decided(live("a", data={"key": "old"}), rehearsed(), drift=DriftPolicy.WARN, applied=BEFORE),
        Action.SKIP,
        f"somebody changed it; {LEFT} warn",
    ),
    "changed by somebody to what it was": (
        decided(SAME, rehearsed("m1"), drift=DriftPolicy.WARN, applied=BEFORE),
        Action.UNCHANGED,
        "",
    ),
    "deleted by somebody, who is left alone": (
        decided(drift=DriftPolicy.WARN, applied=BEFORE),
        Action.SKIP,
        f"it is gone; {LEFT} warn",
    ),
    "changed by somebody and by Git": (
        decided(
            live("a", data={"key": "old"}),
            rehearsed(),
            drift=DriftPolicy.DISABLED,
            applied={ID: Applied(manifest=manifest("a", data={"key": "before"}).digest, mark="m0")},
        ),
        Action.UPDATE,
        "",
    ),
    "never applied, where drift is left alone": (
        decided(live("a", data={"key": "old"}), rehearsed(), drift=DriftPolicy.DISABLED),
        Action.UPDATE,
        "",
    ),
}


@pytest.mark.parametrize("kind", ["PersistentVolumeClaim", "PersistentVolume", "Namespace"])
def test_an_app_that_forces_re_creates_nothing_that_takes_others_or_data_along(kind: str) -> None:
    wanted, seen = manifest("x", kind), live("x", kind)
    refusal = Rehearsal(id=wanted.id, error=Rejected("field is immutable"), immutable=True)
    base = ground(live={wanted.id: seen}, rehearsals={wanted.id: refusal}, force=True)

    [change] = planned([wanted], base)
    [marked] = planned([wanted], replace(base, treatments={wanted.id: Treatment(force=True)}))

    assert (change.action, change.force) == (Action.REFUSE, False)
    assert "unless the object itself is marked for it" in change.reason
    assert (marked.action, marked.force) == (Action.RECREATE, True)


def test_an_object_that_is_re_created_turns_back_no_stage() -> None:
    other = manifest("b")
    base = ground(
        live={ID: SAME}, rehearsals={ID: IMMUTABLE, other.id: Rehearsal(id=other.id, body=other.body)}, force=True
    )
    assert [c.action for c in planned([A, other], base)] == [Action.RECREATE, Action.CREATE]


def test_what_the_object_in_the_cluster_asks_for_counts_too() -> None:
    plain, merge, ignore, once = (
        Treatment(mode=mode, why=str(mode))
        for mode in (WriteMode.APPLY, WriteMode.MERGE, WriteMode.IGNORE, WriteMode.CREATE_ONLY)
    )
    assert plain.beside(ignore) == once.beside(ignore) == merge.beside(ignore) == ignore
    assert plain.beside(merge) == merge
    assert merge.beside(plain) == merge
    assert once.beside(merge) == once
    assert plain.beside(once) == plain


@pytest.mark.parametrize("case", CASES)
def test_an_object_is_decided_with_a_reason(case: str) -> None:
    change, action, reason = CASES[case]
    assert (change.action, change.reason) == (action, reason)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (decided(live("a", owner=Engine(name="Helm"))), Misconfigured),
        (decided(taken={ID: OTHER}), Misconfigured),
        (decided(live("a", terminating=True)), Transient),
    ],
)
def test_a_refusal_names_app_and_object(change: Change, error: type[Exception]) -> None:
    assert type(change.error) is error
    assert str(change.error).startswith(f"{APP}: ConfigMap/default/a: ")


def stage(atomic: Atomic) -> dict[str, Change]:
    good, bad, same = manifest("good"), manifest("bad"), manifest("same")
    rehearsals = {
        good.id: Rehearsal(id=good.id, body=good.body, mark="m2"),
        bad.id: Rehearsal(id=bad.id, error=Rejected("ConfigMap/default/bad: invalid")),
    }
    base = ground(
        atomic=atomic,
        live={same.id: live("same")},
        applied={same.id: Applied(manifest=same.digest, mark="m1")},
        rehearsals=rehearsals,
    )
    return {c.id.name: c for c in planned([good, bad, same], base)}


def test_one_refused_object_turns_back_the_writes_of_its_stage() -> None:
    found = stage(Atomic.STAGE)
    assert found["good"].action is Action.HOLD
    assert found["good"].reason == "nothing of this stage is written: ConfigMap/default/bad was refused"
    assert (found["bad"].action, found["same"].action) == (Action.REFUSE, Action.UNCHANGED)


def test_one_refused_object_touches_no_other_where_each_stands_alone() -> None:
    found = stage(Atomic.OBJECT)
    assert (found["good"].action, found["bad"].action) == (Action.CREATE, Action.REFUSE)


def test_a_refusal_over_ownership_holds_back_no_other_object() -> None:
    other = manifest("b")
    base = ground(
        live={ID: live("a", owner=Engine(name="Flux"))}, rehearsals={other.id: Rehearsal(id=other.id, body=other.body)}
    )
    assert [c.action for c in planned([A, other], base)] == [Action.REFUSE, Action.CREATE]


def test_only_what_may_have_to_be_written_is_rehearsed() -> None:
    same = manifest("same")
    base = ground(live={same.id: live("same")}, applied={same.id: Applied(manifest=same.digest, mark="m1")})
    assert plan.differing([A, same], base) == (A,)


def seen(**changed: Any) -> Sight:
    return replace(Sight.of(live("a"), Verdict(health=Health.CURRENT)), **changed)


@pytest.mark.parametrize(
    ("sight", "applied", "stands"),
    [
        (seen(), Applied(manifest=A.digest, mark="m1"), True),
        (None, Applied(manifest=A.digest, mark="m1"), False),
        (seen(), None, False),
        (seen(mark="m2"), Applied(manifest=A.digest, mark="m1"), False),
        (seen(), Applied(manifest=manifest("b").digest, mark="m1"), False),
        (seen(version="v2"), Applied(manifest=A.digest, mark="m1"), False),
        (seen(terminating=True), Applied(manifest=A.digest, mark="m1"), False),
        (seen(owner=Ours(app=OTHER)), Applied(manifest=A.digest, mark="m1"), False),
        (seen(owner=Unmanaged()), Applied(manifest=A.digest, mark="m1"), False),
    ],
)
def test_what_a_watch_shows_as_it_was_applied_is_not_asked_for(
    sight: Sight | None, applied: Applied | None, stands: bool
) -> None:
    assert plan.stands(A, sight, applied, APP) is stands


def test_what_leaves_a_field_to_others_is_rehearsed_whenever_it_is_looked_at() -> None:
    base = {"applied": {ID: Applied(manifest=A.digest, mark="m1")}}
    assert plan.differing([A], ground(live={ID: SAME}, **base)) == ()
    assert plan.differing([A], ground(live={ID: replace(SAME, yields=True)}, **base)) == (A,)
    assert decided(replace(SAME, yields=True), rehearsed("m1"), **base).action is Action.UNCHANGED


def test_what_stands_is_unchanged_unless_another_holds_it() -> None:
    [change] = planned([A], ground(standing=frozenset({ID})))
    [contested] = planned([A], ground(standing=frozenset({ID}), taken={ID: OTHER}))
    assert (change.action, change.live) == (Action.UNCHANGED, None)
    assert contested.action is Action.REFUSE


def test_secrets_are_masked_in_a_plan() -> None:
    secret = manifest("s", "Secret", data={"password": "aHVudGVyMg=="})
    seen = live("s", "Secret", data={"password": "b2xk"})
    rehearsal = Rehearsal(id=secret.id, body={**seen.body, "data": {"password": "aHVudGVyMg=="}}, mark="m2")
    [change] = planned([secret], ground(live={secret.id: seen}, rehearsals={secret.id: rehearsal}))
    assert change.action is Action.UPDATE
    assert "aHVudGVyMg==" not in repr(change.fields)
    assert "b2xk" not in repr(change.fields)


names = st.sets(st.sampled_from("abcdefgh"), max_size=8)


@given(gone=names, refused=names, kept=names)
def test_a_plans_digest_names_its_deletions_and_nothing_else(gone: set[str], refused: set[str], kept: set[str]) -> None:
    deletions = [deletion(n, Action.REFUSE if n in refused else Action.DELETE) for n in sorted(gone)]
    writes = [Change(id=id_of(f"new-{n}"), action=Action.CREATE) for n in kept]
    held = [deletion(f"held-{n}", Action.HOLD) for n in kept]
    alone = plan.of(APP, CLUSTER, deletions).digest
    assert plan.of(APP, CLUSTER, [*writes, *reversed(deletions), *held]).digest == alone
    assert (plan.of(APP, CLUSTER, [*deletions, deletion("one-more")]).digest == alone) is False
    assert plan.of(APP, "another", deletions).digest != alone


B = manifest("b", data={"key": "new"})
AS_LAST = {A.id: Applied(manifest=A.digest, mark="m1"), B.id: Applied(manifest=B.digest, mark="m1")}
EDITED = live("b", mark="m9", data={"key": "edited"})
NEWER = {**AS_LAST, B.id: Applied(manifest=A.digest, mark="m1")}


@pytest.mark.parametrize(
    ("given", "action"),
    [
        ({"live": {B.id: EDITED}, "applied": AS_LAST}, Action.UPDATE),
        ({"live": {}, "applied": AS_LAST}, Action.CREATE),
        ({"live": {B.id: EDITED}, "applied": NEWER}, Action.HOLD),
        ({"live": {B.id: EDITED}}, Action.HOLD),
        ({"live": {}}, Action.HOLD),
        ({"live": {B.id: EDITED}, "atomic": Atomic.OBJECT}, Action.UPDATE),
        ({"live": {}, "atomic": Atomic.OBJECT}, Action.CREATE),
    ],
    ids=["edited", "removed", "edited, and Git too", "not known", "new", "edited, alone", "new, alone"],
)
def test_beside_what_is_out_of_sight_only_drift_is_put_back(given: dict[str, Any], action: Action) -> None:
    hidden, seen = planned([A, B], ground(unread={A.id: Rejected("403")}, **given))
    assert (hidden.action, hidden.unread, str(hidden.error)) == (Action.REFUSE, True, f"{APP}: {A.id}: 403")
    assert seen.action is action
    if action is Action.HOLD:
        assert seen.reason == f"nothing of this stage is written: {A.id} was refused"


def test_after_a_stage_that_was_refused_only_drift_is_put_back() -> None:
    later = ground(refused=id_of("x"), live={A.id: live("a", mark="m9"), B.id: EDITED}, applied=NEWER)
    assert [c.action for c in planned([A, B], later)] == [Action.UPDATE, Action.HOLD]


@pytest.mark.parametrize(
    "given", [{"atomic": Atomic.OBJECT}, {"refused": id_of("x")}], ids=["alone", "in a refused stage"]
)
def test_drift_that_is_only_to_be_told_is_not_written_without_a_rehearsal_either(given: dict[str, Any]) -> None:
    seen = live("a", mark="m9", data={"key": "edited"})
    found = decided(seen, applied=AS_LAST, drift=DriftPolicy.WARN, **given)
    assert (found.action, found.drifted) == (Action.SKIP, True)
    assert [field.path for field in found.fields] == ["data.key"]

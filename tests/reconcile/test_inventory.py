"""The record of what an app owns: wherever a run dies, nothing that exists and is ours is unknown to it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from fakes.things import APP, AT, CLUSTER, deletion, id_of, live, manifest, planned, record
from hypothesis import given, settings
from hypothesis import strategies as st

from gitopsd.model.change import Action, Change, Engine, Live, Rehearsal, Result, Unmanaged
from gitopsd.model.declared import Adopt, Atomic
from gitopsd.model.errors import Rejected, Transient
from gitopsd.model.identity import ResourceId
from gitopsd.model.inventory import Approval, Inventory, Owned, Suspension
from gitopsd.reconcile import inventory, plan, prune

NAMES = tuple("abcdef")
names = st.frozensets(st.sampled_from(NAMES))


def test_what_is_wanted_is_written_down_as_intended_before_it_is_written() -> None:
    grown = inventory.before(record("a"), [manifest("a"), manifest("b")])
    assert {o.id.name: o.intended for o in grown.owned.values()} == {"a": False, "b": True}


def test_a_new_version_of_an_object_is_the_same_object() -> None:
    newer = replace(manifest("a"), version="v2")
    assert inventory.before(record("a"), [newer]).owned == {id_of("a"): Owned(id=id_of("a"), version="v2")}


def wanted(action: Action, seen: Live | None = None) -> Change:
    return Change(id=id_of("a"), action=action, live=seen, manifest=manifest("a"))


OK = Result(id=id_of("a"), action=Action.CREATE)
FAILED = replace(OK, error=Transient("cut"))
FOREIGN = live("a", owner=Engine(name="Flux"))
AFTER: dict[str, tuple[Change, Result | None, bool | None]] = {
    "written": (wanted(Action.CREATE), OK, False),
    "the write failed": (wanted(Action.CREATE), FAILED, True),
    "cut before the answer": (wanted(Action.CREATE), None, True),
    "found as wanted": (wanted(Action.UNCHANGED, live("a")), None, False),
    "held back": (wanted(Action.HOLD), None, True),
    "refused, never there": (wanted(Action.REFUSE), None, None),
    "refused, another's": (wanted(Action.REFUSE, FOREIGN), None, None),
    "refused, written by a run that died": (wanted(Action.REFUSE, live("a")), None, True),
    "refused, out of sight": (replace(wanted(Action.REFUSE), unread=True), None, True),
    "skipped, another's": (wanted(Action.SKIP, FOREIGN), None, None),
    "skipped, written by a run that died": (wanted(Action.SKIP, live("a")), None, True),
    "deleted": (deletion("a"), OK, None),
    "the deletion failed": (deletion("a"), FAILED, True),
    "the deletion was cut": (deletion("a"), None, True),
    "the deletion was refused": (deletion("a", Action.REFUSE), None, True),
    "the deletion is held": (deletion("a", Action.HOLD), None, True),
    "let go": (deletion("a", Action.SKIP), None, None),
}


@pytest.mark.parametrize("case", AFTER)
def test_what_is_left_after_a_run(case: str) -> None:
    change, result, intended = AFTER[case]
    left = inventory.after(record(intended=("a",)), [change], {result.id: result} if result else {})
    assert {id.name: o.intended for id, o in left.owned.items()} == ({} if intended is None else {"a": intended})


def test_a_refusal_leaves_what_was_ours_in_the_record() -> None:
    assert inventory.after(record("a"), [wanted(Action.REFUSE)], {}).owned.keys() == {id_of("a")}


@given(ours=names, theirs=names, intended=names)
def test_a_merge_loses_no_object_and_forgets_no_write(
    ours: frozenset[str], theirs: frozenset[str], intended: frozenset[str]
) -> None:
    held = Suspension(actor="ada", since=AT)
    one = record(*(ours - intended), intended=tuple(ours & intended))
    other = replace(record(*theirs, token="2"), suspension=held)
    merged = inventory.merged(one, other)
    assert {id.name for id in merged.owned} == ours | theirs
    assert not any(o.intended for o in merged.owned.values() if o.id.name in theirs)
    assert (merged.token, merged.suspension) == ("2", held)


def test_a_merge_with_a_record_that_is_gone_writes_a_new_one() -> None:
    merged = inventory.merged(record("a"), None)
    assert (merged.token, merged.owned.keys()) == ("", {id_of("a")})


def test_an_approval_is_good_until_its_deletions_are_done() -> None:
    changes = [deletion("a"), deletion("b")]
    approved = plan.of(APP, CLUSTER, changes)
    known = replace(record("a", "b", "c"), approvals=(Approval(plan=approved.digest, actor="ada", at=AT),))
    half = inventory.after(known, changes, {id_of("a"): OK})
    assert inventory.spent(half, approved).approvals == known.approvals
    whole = inventory.after(known, changes, {id_of("a"): OK, id_of("b"): OK})
    assert inventory.spent(whole, approved).approvals == ()


class DiedError(Exception):
    """The process is gone."""


class Cluster:
    """Objects and the record, and a process that dies before the write of a given number."""

    def __init__(self) -> None:
        self.objects: dict[ResourceId, Live] = {}
        self.record = Inventory(app=APP, cluster_uid=CLUSTER)
        self.left = 0

    def step(self) -> None:
        if self.left == 0:
            raise DiedError
        self.left -= 1

    def run(self, wanted: frozenset[str], refused: frozenset[str]) -> None:
        """One attempt as the steps make it, each write a step that may be the last."""
        manifests = [manifest(name) for name in sorted(wanted)]
        grown = inventory.before(self.record, manifests)
        self.step()
        self.record = grown
        errors = {m.id: Rehearsal(id=m.id, error=Rejected("invalid")) for m in manifests if m.id.name in refused}
        ground = plan.Ground(
            app=APP, adopt=Adopt.UNMANAGED, atomic=Atomic.OBJECT, live=dict(self.objects), rehearsals=errors
        )
        changes = planned(manifests, ground)
        results = {c.id: self.written(c) for c in changes if c.action.writes}
        if not any(c.error for c in changes):
            beside = prune.Ground(app=APP, enabled=True, live=dict(self.objects))
            deletions = prune.unwanted(self.record, frozenset(m.id for m in manifests), beside)
            results |= {c.id: self.gone(c) for c in deletions if c.action is Action.DELETE}
            changes += deletions
        shrunk = inventory.after(self.record, changes, results)
        self.step()
        self.record = shrunk

    def written(self, change: Change) -> Result:
        self.step()
        self.objects[change.id] = live(change.id.name)
        return Result(id=change.id, action=change.action)

    def gone(self, change: Change) -> Result:
        self.step()
        del self.objects[change.id]
        return Result(id=change.id, action=change.action)


runs = st.lists(st.tuples(names, names, st.integers(0, 16)), max_size=8)


@settings(max_examples=300)
@given(runs)
def test_wherever_runs_die_every_object_that_is_there_is_in_the_record(
    attempts: list[tuple[frozenset[str], frozenset[str], int]],
) -> None:
    cluster = Cluster()
    for wanted_names, refused, steps in attempts:
        cluster.left = steps
        with suppress(DiedError):
            cluster.run(wanted_names, refused)
        assert cluster.objects.keys() <= cluster.record.owned.keys()
    cluster.left = -1
    cluster.run(frozenset("ab"), frozenset())
    assert {id.name for id in cluster.objects} == {id.name for id in cluster.record.owned} == {"a", "b"}


def test_an_object_of_nobody_is_no_news_to_the_record() -> None:
    change = Change(id=id_of("z"), action=Action.SKIP, live=live("z", owner=Unmanaged()))
    assert inventory.after(record("a"), [change], {}) == record("a")

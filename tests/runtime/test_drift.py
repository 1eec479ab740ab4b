from __future__ import annotations

import tracemalloc
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gitopsd.model.change import Ours, Sight
from gitopsd.model.health import Health, Verdict
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.runtime.live.drift import GRACE, Drift, DriftTable
from gitopsd.runtime.live.flips import PAUSE, Flips, Pace

APP = ObjectRef(kind="Kustomization", namespace="flux-system", name="apps")
OTHER = ObjectRef(kind="Kustomization", namespace="flux-system", name="other")
KIND = ("", "ConfigMap")


def id_of(name: str = "a") -> ResourceId:
    return ResourceId(group="", kind="ConfigMap", namespace="default", name=name)


def sight(mark: str, changed_by: str = "") -> Sight:
    fine = Verdict(health=Health.CURRENT)
    return Sight(version="v1", owner=Ours(app=APP), mark=mark, terminating=False, verdict=fine, changed_by=changed_by)


def settled(*names: str) -> DriftTable:
    """A table whose watch has shown each object as it is expected, at time 0."""
    table = DriftTable()
    table.hold(KIND, 0)
    table.expect(APP, {id_of(name): "m1" for name in names}, 0)
    for name in names:
        assert table.seen(id_of(name), sight("m1"), 0) is None
    return table


def test_a_differing_mark_is_drift_at_once_and_reported_once() -> None:
    table = settled("a")

    assert table.seen(id_of(), sight("foreign"), 1) == Drift(app=APP, id=id_of(), gone=False)
    assert table.seen(id_of(), sight("foreign"), 1) is None
    assert table.drifted(APP) == {id_of()}


def test_an_equal_mark_is_no_drift_and_an_object_that_is_back_as_it_was_is_none_either() -> None:
    table = settled("a")
    table.seen(id_of(), sight("foreign"), 1)

    assert table.seen(id_of(), sight("m1"), 2) is None
    assert table.drifted(APP) == frozenset()
    assert table.seen(id_of(), sight("foreign"), 3) is not None


def test_drift_that_was_left_so_stays_known_and_is_no_news_again() -> None:
    table = settled("a")
    table.seen(id_of(), sight("foreign"), 1)

    table.expect(APP, {id_of(): "m1"}, 2, left=[id_of()])

    assert table.drifted(APP) == {id_of()}
    assert table.overdue(2 + GRACE) == ()
    assert table.seen(id_of(), sight("foreign"), 3 + GRACE) is None
    assert table.seen(id_of(), sight("another"), 4 + GRACE) is not None


def test_an_object_that_vanished_is_drift() -> None:
    table = settled("a")

    assert table.seen(id_of(), None, 1) == Drift(app=APP, id=id_of(), gone=True)
    assert table.sight(id_of()) is None


def test_nobodys_objects_never_drift() -> None:
    assert settled().seen(id_of("stranger"), sight("x"), 1) is None


def test_an_object_with_a_write_in_flight_is_neither_judged_nor_shown() -> None:
    table = settled("a")
    table.writing([id_of()])

    assert table.seen(id_of(), sight("m2"), 1) is None
    assert table.sight(id_of()) is None

    table.expect(APP, {id_of(): "m2"}, 1)
    assert table.drifted(APP) == frozenset()
    shown = table.sight(id_of())
    assert shown is not None
    assert shown.mark == "m2"


def test_events_older_than_our_write_are_not_drift_and_newer_ones_are() -> None:
    table = settled("a")
    table.writing([id_of()])
    table.expect(APP, {id_of(): "m2"}, 1)

    assert table.seen(id_of(), sight("m0"), 1.1) is None
    assert table.seen(id_of(), sight("m2"), 1.2) is None
    assert table.seen(id_of(), sight("foreign"), 1.3) is not None


def test_a_change_right_behind_our_write_is_noticed_when_its_grace_is_over() -> None:
    table = settled("a")
    table.expect(APP, {id_of(): "m2"}, 1)
    table.seen(id_of(), sight("foreign"), 1.1)

    assert table.overdue_at() == 1 + GRACE
    assert table.overdue(1 + GRACE) == (Drift(app=APP, id=id_of(), gone=False),)
    assert table.overdue_at() is None


def test_what_a_new_watch_does_not_list_is_reported_once_and_never_taken_for_unchanged() -> None:
    table = DriftTable()
    table.expect(APP, {id_of(): "m1"}, 0)
    assert table.overdue_at() is None, "nobody watches yet"

    table.hold(KIND, 10)

    assert table.overdue(10 + GRACE) == (Drift(app=APP, id=id_of(), gone=True),)
    table.expect(APP, {id_of(): "m1"}, 20)
    assert table.overdue(20 + GRACE) == ()
    assert table.drifted(APP) == {id_of()}
    table.seen(id_of(), sight("m1"), 30)
    assert table.drifted(APP) == frozenset()


def test_an_object_without_a_known_mark_drifts_only_by_being_gone() -> None:
    table = DriftTable()
    table.hold(KIND, 0)
    table.expect(APP, {id_of(): ""}, 0)

    assert table.seen(id_of(), sight("anything"), 1) is None
    assert table.seen(id_of(), None, 2) is not None


def test_an_object_that_moved_to_another_app_drifts_for_that_one_only() -> None:
    table = settled("a")
    table.expect(OTHER, {id_of(): "m1"}, 1)
    table.expect(APP, {}, 1)

    drift = table.seen(id_of(), sight("foreign"), 2)

    assert drift is not None
    assert drift.app == OTHER
    assert table.drifted(APP) == frozenset()


def test_a_forgotten_app_and_an_ended_watch_leave_nothing() -> None:
    table = settled("a", "b")
    table.forget(APP)
    table.release(KIND)

    assert table.seen(id_of(), sight("foreign"), 1) is None
    assert not table.holds([KIND])
    assert table.sight(id_of("b")) is None


@given(st.lists(st.sampled_from(["m1", "x", "y", None]), min_size=1))
def test_what_is_called_drifted_is_what_the_last_event_says(events: list[str | None]) -> None:
    table = settled("a")
    for at, mark in enumerate(events):
        table.seen(id_of(), sight(mark) if mark else None, float(at + 1))

    assert (id_of() in table.drifted(APP)) is (events[-1] != "m1")


def test_five_changes_within_a_minute_begin_a_pause_and_slow_ones_never_do() -> None:
    fast, slow = Flips(), Flips()

    assert [fast.note("a", t) for t in (0, 10, 20, 30, 40, 41)] == [Pace.REPAIR] * 4 + [Pace.PAUSE, Pace.PAUSED]
    assert fast.note("b", 41) is Pace.REPAIR
    assert fast.note("a", 40 + PAUSE) is Pace.REPAIR
    assert {slow.note("a", 20.0 * n) for n in range(50)} == {Pace.REPAIR}


def test_an_object_that_is_watched_costs_less_than_a_kibibyte() -> None:
    """In 1,000 apps of four objects; each id and sight is an object of its own, as a stream brings it."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        table = DriftTable()
        table.hold(KIND, 0)
        for number in range(1_000):
            app = ObjectRef(kind="Kustomization", namespace=f"team-{number}", name="app")
            names = [f"object-{number}-{n}" for n in range(4)]
            table.expect(app, {id_of(name): f"{name:>64}" for name in names}, 0)
            for name in names:
                seen = replace(sight(f"{name:>64}"), owner=Ours(app=replace(app, name="app")))
                assert table.seen(id_of(name), seen, 1) is None
        cost = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert cost / 4_000 < 1024

"""Who holds an object that several apps want."""

from __future__ import annotations

from fakes.things import app, id_of
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.reconcile.claims import HOME, Claims

A, B, C = app("a"), app("b"), app("c")
X, Y = id_of("x"), id_of("y")


def test_the_first_by_name_comes_first_until_somebody_has_taken_it() -> None:
    claims = Claims()
    claims.want(B, "k", [X])
    claims.want(A, "k", [X])
    assert claims.take(B) == {X: A}
    assert claims.take(A) == {}


def test_whoever_has_taken_it_keeps_it() -> None:
    claims = Claims()
    claims.want(B, "k", [X])
    claims.take(B)
    claims.want(A, "k", [X, Y])
    assert claims.take(A) == {X: B}
    claims.want(B, "k", [X, Y])
    assert claims.take(B) == {Y: A}


def test_an_object_passes_to_the_next_by_name_when_its_holder_lets_go() -> None:
    claims = Claims()
    for who in (A, C, B):
        claims.want(who, "k", [X])
        claims.take(who)
    assert claims.want(A, "k", [Y]) == {B}
    assert claims.holder("k", X) == B
    assert claims.release(C) == frozenset()
    assert claims.release(B) == frozenset()
    assert claims.holder("k", X) is None


def test_clusters_are_apart_and_declared_objects_live_in_none() -> None:
    claims = Claims()
    claims.want(A, "one", [X], [Y])
    claims.want(B, "two", [X], [Y])
    assert claims.take(A) == {}
    assert claims.take(B) == {Y: A}
    assert claims.holder(HOME, Y) == A


steps = st.lists(
    st.tuples(
        st.sampled_from(["want", "take", "release"]),
        st.sampled_from([A, B, C]),
        st.frozensets(st.sampled_from([X, Y, id_of("z")])),
    )
)


@given(steps)
def test_an_object_has_a_holder_exactly_while_somebody_wants_it_and_taking_is_exclusive(steps: list) -> None:  # type: ignore[type-arg]
    claims, wanted, taken = Claims(), {A: frozenset(), B: frozenset(), C: frozenset()}, {}
    for verb, who, ids in steps:
        if verb == "take":
            others = claims.take(who)
            taken |= dict.fromkeys(wanted[who] - others.keys(), who)
        else:
            heirs = claims.want(who, "k", ids) if verb == "want" else claims.release(who)
            wanted[who] = ids if verb == "want" else frozenset()
            taken = {id: owner for id, owner in taken.items() if id in wanted[owner]}
            assert who not in heirs
        for id in (X, Y, id_of("z")):
            wanting = [owner for owner, ids in wanted.items() if id in ids]
            assert claims.holder("k", id) == taken.get(id, min(wanting, default=None))

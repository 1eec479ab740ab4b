"""The law of several `-c`: by identity the last one wins, however they are put together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitopsd.config import documents
from gitopsd.config.documents import Identity, Written
from gitopsd.plugin import Place


def document(name: str, line: int) -> Written:
    identity = Identity(group="g", kind="K", namespace="n", name=name)
    return Written(identity=identity, version="v1", value={}, place=Place(file="f", line=line))


layer = st.lists(st.builds(document, st.sampled_from("abcdef"), st.integers(1, 99)), max_size=6)
unique = st.lists(
    st.builds(document, st.sampled_from("abcdef"), st.integers(1, 99)), max_size=6, unique_by=lambda d: d.identity
)


def merged(*layers):
    return documents.overridden(layers)[0]


@given(unique, unique, unique)
def test_overriding_is_associative(a, b, c):
    assert merged(a, merged(b, c).values()) == merged(merged(a, b).values(), c) == merged(a, b, c)


@given(unique, unique)
def test_the_later_layer_wins_and_nothing_else_is_lost(a, b):
    found = merged(a, b)
    assert {d.identity for d in a} | {d.identity for d in b} == set(found)
    assert all(found[d.identity] is d for d in b)


@given(layer)
def test_every_further_document_of_the_same_identity_is_a_problem(documents_of_one):
    found, problems = documents.overridden([documents_of_one])
    assert len(problems) == len(documents_of_one) - len(found)


@given(unique, unique)
def test_the_same_object_in_two_layers_is_no_problem(a, b):
    assert documents.overridden([a, b])[1] == []

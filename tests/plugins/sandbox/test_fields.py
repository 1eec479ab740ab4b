"""Sets of fields obey the laws of sets, in the form in which they are sent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitopsd_plugins.sandbox.merging import fields
from gitopsd_plugins.sandbox.merging.fields import FieldSet

Path = tuple[str, ...]

names = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"'])
members = st.frozensets(st.lists(names, min_size=1, max_size=4).map(tuple), max_size=8)


def made(paths: frozenset[Path]) -> FieldSet:
    result: FieldSet = {}
    for path in paths:
        node: FieldSet = fields.MEMBER
        for element in reversed(path):
            node = {element: node}
        result = fields.union(result, node)
    return result


def read(held: FieldSet, prefix: Path = ()) -> frozenset[Path]:
    found: set[Path] = set()
    for element, node in held.items():
        if element != ".":
            found |= read(node, (*prefix, element))
            if fields.member(node):
                found.add((*prefix, element))
    return frozenset(found)


@given(members)
def test_a_set_holds_what_it_was_made_of(a: frozenset[Path]) -> None:
    assert read(made(a)) == a


@given(members, members)
def test_union_difference_and_intersection_are_those_of_sets(a: frozenset[Path], b: frozenset[Path]) -> None:
    assert read(fields.union(made(a), made(b))) == a | b
    assert read(fields.difference(made(a), made(b))) == a - b
    assert read(fields.intersection(made(a), made(b))) == a & b


@given(members, members)
def test_arguments_are_never_changed(a: frozenset[Path], b: frozenset[Path]) -> None:
    left, right = made(a), made(b)
    for operation in (fields.union, fields.difference, fields.intersection):
        operation(left, right)
    assert (read(left), read(right)) == (a, b)


@given(members, st.lists(names, min_size=1, max_size=3).map(tuple))
def test_without_takes_a_path_and_all_below_it(a: frozenset[Path], path: Path) -> None:
    kept = frozenset(each for each in a if each[: len(path)] != path)
    assert read(fields.without(made(a), (path,))) == kept


def test_paths_are_written_as_the_server_writes_them() -> None:
    held = {"f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:name": {}}}}}
    assert list(fields.paths(held)) == [
        '.spec.ports[port=80,protocol="TCP"]',
        '.spec.ports[port=80,protocol="TCP"].name',
    ]

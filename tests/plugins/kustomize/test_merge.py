"""Strategic merge and JSON patches on their own, with the laws that hold for every value."""

import copy
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.plugin import Rejected
from gitopsd_plugins.kustomize.transforms import jsonpatch, merge

SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=3)
VALUES = st.recursive(
    SCALARS,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), v, max_size=3),
    max_leaves=8,
)
MAPS = st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES, max_size=3)


def service(*ports):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": list(ports)}}


@given(MAPS)
def test_an_empty_patch_changes_nothing(value):
    assert merge.merge(copy.deepcopy(value), {}) == value


@given(MAPS)
def test_a_null_for_each_field_leaves_nothing(value):
    assert merge.merge(copy.deepcopy(value), dict.fromkeys(value)) == {}


@given(MAPS, MAPS)
def test_a_merge_fails_only_with_its_own_error(target, patch):
    with suppress(Rejected):
        merge.merge(target, patch)


def test_ports_are_told_apart_by_number_and_protocol():
    target = service({"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"})
    merged = merge.merge(target, service({"port": 53, "protocol": "UDP", "name": "dns"}))
    assert {"port": 53, "protocol": "UDP", "name": "dns"} in merged["spec"]["ports"]
    assert {"port": 53, "protocol": "TCP"} in merged["spec"]["ports"]


@pytest.mark.parametrize(
    ("directive", "expected"),
    [
        ({"$patch": "delete"}, None),
        ({"$patch": "replace", "x": 1}, {"x": 1}),
        ({"$patch": "merge", "x": 1}, {"a": 1, "x": 1}),
    ],
)
def test_directives(directive, expected):
    assert merge.merge({"a": 1}, directive) == expected


def test_an_unknown_directive_is_refused():
    with pytest.raises(Rejected, match="unknown patch strategy 'drop'"):
        merge.merge({"a": {"b": 1}}, {"a": {"$patch": "drop"}})


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/list/-", "value": 3}, {"list": [1, 2, 3]}),
        ({"op": "add", "path": "/list/0", "value": 0}, {"list": [0, 1, 2]}),
        ({"op": "remove", "path": "/list/-1"}, {"list": [1]}),
        ({"op": "replace", "path": "/list/1", "value": 9}, {"list": [1, 9]}),
        ({"op": "move", "from": "/list/0", "path": "/moved"}, {"list": [2], "moved": 1}),
        ({"op": "copy", "from": "/list", "path": "/a~1b"}, {"list": [1, 2], "a/b": [1, 2]}),
        ({"op": "test", "path": "/list/0", "value": 1}, {"list": [1, 2]}),
        ({"op": "replace", "path": "/nothing", "value": 1}, {"list": [1, 2], "nothing": 1}),
    ],
)
def test_operations(operation, expected):
    assert jsonpatch.apply({"list": [1, 2]}, [operation]) == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/list/7", "value": 3},
        {"op": "add", "path": "/no/where", "value": 3},
        {"op": "remove", "path": "/nothing"},
        {"op": "remove", "path": ""},
        {"op": "replace", "path": "/no/where", "value": 1},
        {"op": "move", "path": "/a"},
        {"op": "test", "path": "/list/0", "value": True},
    ],
)
def test_operations_that_do_not_apply_are_refused(operation):
    with pytest.raises(Rejected, match="JSON patch"):
        jsonpatch.apply({"list": [1, 2]}, [operation])

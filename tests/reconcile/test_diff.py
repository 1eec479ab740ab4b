"""Differences between two states of an object: what is shown, and what never is."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.model.change import FieldChange
from gitopsd.reconcile import diff

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("abc./", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "a", "b.c"]), inner, max_size=3)
    ),
    max_leaves=12,
)


def differences(before: Any, after: Any) -> tuple[FieldChange, ...]:
    return diff.compared(before, after).fields


def _config(data: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app", **metadata}, "data": data}


def _secret(data: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, **({"data": data} if data else {}), **more}


def _pod(*containers: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "Pod", "spec": {"containers": list(containers)}}


def test_equal_objects_have_no_differences() -> None:
    assert differences(_config({"a": "1"}), _config({"a": "1"})) == ()


def test_bookkeeping_of_the_server_is_no_difference() -> None:
    live = {
        **_config({"a": "1"}, uid="u", resourceVersion="7", generation=2, creationTimestamp="t", managedFields=[{}]),
        "status": {"phase": "x"},
    }
    assert differences(live, _config({"a": "1"})) == ()


def test_changed_added_and_removed_fields_come_in_order_of_their_paths() -> None:
    assert differences(_config({"b": "1", "c": "2"}), _config({"a": "0", "b": "9"})) == (
        FieldChange(path="data.a", before=None, after="0"),
        FieldChange(path="data.b", before="1", after="9"),
        FieldChange(path="data.c", before="2", after=None),
    )


def test_a_key_with_dots_or_slashes_stands_in_brackets() -> None:
    found = differences(_config({}, labels={"app.io/x": "1"}), _config({}, labels={"app.io/x": "2"}))
    assert [change.path for change in found] == ["metadata.labels[app.io/x]"]


def test_an_inserted_container_is_one_change() -> None:
    app, sidecar = {"name": "app", "image": "a:1"}, {"name": "proxy", "image": "p:1"}
    assert differences(_pod(app), _pod(sidecar, app)) == (
        FieldChange(path="spec.containers[proxy]", before=None, after=sidecar),
    )


def test_a_change_inside_a_list_names_the_item_by_its_key() -> None:
    before, after = _pod({"name": "app", "image": "a:1"}), _pod({"name": "app", "image": "a:2"})
    assert differences(before, after) == (FieldChange(path="spec.containers[app].image", before="a:1", after="a:2"),)


def test_ports_are_matched_by_number_and_protocol() -> None:
    udp, tcp = {"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}
    found = differences({"spec": {"ports": [udp]}}, {"spec": {"ports": [tcp, udp]}})
    assert [change.path for change in found] == ["spec.ports[53/TCP]"]


def test_a_list_without_a_key_is_compared_by_position() -> None:
    found = differences({"args": ["a", "b"]}, {"args": ["a", "c"]})
    assert found == (FieldChange(path="args[1]", before="b", after="c"),)


def test_another_order_of_the_same_items_is_a_difference() -> None:
    found = differences(_pod({"name": "a"}, {"name": "b"}), _pod({"name": "b"}, {"name": "a"}))
    assert found == (FieldChange(path="spec.containers", before=["a", "b"], after=["b", "a"]),)


def test_the_order_of_an_autoscalers_metrics_is_no_difference() -> None:
    cpu, memory = (
        {"type": "Resource", "resource": {"name": "cpu"}},
        {"type": "Resource", "resource": {"name": "memory"}},
    )
    one = {"kind": "HorizontalPodAutoscaler", "spec": {"metrics": [cpu, memory]}}
    other = {"kind": "HorizontalPodAutoscaler", "spec": {"metrics": [memory, cpu]}}
    assert differences(one, other) == ()


def test_a_new_object_is_a_change_of_each_of_its_parts() -> None:
    found = differences(None, _config({"a": "1"}, uid="dry-run"))
    assert {change.path: change.after for change in found} == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "app"},
        "data": {"a": "1"},
    }


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ({"token": "YQ=="}, {"token": "YQ=="}, []),
        ({"token": "YQ=="}, {"token": "Yg=="}, [("data.token", "*** (before)", "*** (after)")]),
        ({"token": "YQ=="}, {"token": "YQ==", "user": "Yg=="}, [("data.user", None, "***")]),
        ({"token": "YQ==", "user": "Yg=="}, {"token": "YQ=="}, [("data.user", "***", None)]),
        (None, {"token": "YQ=="}, [("data", None, {"token": "***"})]),
    ],
)
def test_the_values_of_a_secret_are_masked(before: Any, after: Any, shown: list[tuple[str, Any, Any]]) -> None:
    found = differences(_secret(before), _secret(after))
    assert [(change.path, change.before, change.after) for change in found] == shown


def test_string_data_of_a_secret_equals_its_encoded_data() -> None:
    live = _secret({"token": base64.b64encode(b"private").decode()})
    assert differences(live, _secret(stringData={"token": "private"})) == ()
    changed = differences(live, _secret(stringData={"token": "other"}))
    assert [(change.path, change.after) for change in changed] == [("data.token", "*** (after)")]


def test_what_kubectl_last_applied_shows_no_secret() -> None:
    live = _secret({"a": "YQ=="})
    live["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": '{"data":{"a":"YQ=="}}'}
    assert "YQ" not in repr(differences(live, _secret({"a": "YQ=="})))


@given(_VALUES)
def test_nothing_differs_from_itself(value: Any) -> None:
    assert differences({"spec": value}, {"spec": value}) == ()


@given(_VALUES, _VALUES)
def test_different_values_have_differences_in_both_directions(one: Any, other: Any) -> None:
    there = differences({"spec": one}, {"spec": other})
    back = differences({"spec": other}, {"spec": one})
    assert {change.path for change in there} == {change.path for change in back}


@given(
    st.dictionaries(st.sampled_from("abc"), st.text("XYZ", min_size=4)),
    st.dictionaries(st.sampled_from("abc"), st.text("XYZ", min_size=4)),
)
def test_no_secret_value_is_ever_shown(one: dict[str, str], other: dict[str, str]) -> None:
    shown = repr(differences(_secret(one), _secret(other)))
    assert not any(value in shown for value in [*one.values(), *other.values()])

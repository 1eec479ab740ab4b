"""Field ownership in a version that is gone."""

from __future__ import annotations

from typing import Any

from gitopsd_plugins.kubernetes import refusal, renewal
from gitopsd_plugins.kubernetes.refusal import Reply


def entry(manager: str, version: str, *fields: str) -> dict[str, Any]:
    held = {f"f:{name}": {} for name in fields}
    return {"manager": manager, "operation": "Apply", "apiVersion": f"x.io/{version}", "fieldsV1": {"f:spec": held}}


def body(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": "7", "managedFields": list(entries)}}


def test_what_is_held_stays_held_in_the_version_that_is_served() -> None:
    before = body(entry("gitopsd", "v1beta1", "a"), entry("operator", "v1beta1", "b"), entry("other", "v2", "c"))
    [guard, change] = renewal.patch(before, "x.io/v1beta1", "x.io/v1")
    assert guard == {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}
    assert change["value"] == [entry("gitopsd", "v1", "a"), entry("operator", "v1", "b"), entry("other", "v2", "c")]


def test_two_entries_of_one_manager_become_one() -> None:
    [_, change] = renewal.patch(body(entry("a", "v1", "x"), entry("a", "v1beta1", "y")), "x.io/v1beta1", "x.io/v1")
    assert change["value"] == [entry("a", "v1", "x", "y")]


def test_where_nothing_is_held_in_it_there_is_nothing_to_do() -> None:
    assert renewal.patch(body(entry("a", "v1", "x")), "x.io/v1beta1", "x.io/v1") == []


def test_the_servers_complaint_names_the_version() -> None:
    said = {"message": "request to convert CR to an invalid group/version: x.io/v1beta1", "reason": "InternalError"}
    assert refusal.gone_version(Reply(status=500, body=said)) == "x.io/v1beta1"
    assert refusal.gone_version(Reply(status=500, body={"message": "etcd is away"})) == ""

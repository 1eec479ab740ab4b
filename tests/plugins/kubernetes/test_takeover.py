"""The patch that moves fields of other managers into our entry."""

from __future__ import annotations

from typing import Any

from gitopsd_plugins.kubernetes import takeover


def _entry(manager: str, operation: str = "Update", fields: Any = None, **more: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": fields or {}, **more}


def _object(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "metadata": {"resourceVersion": "7", "managedFields": list(entries)}}


def _moved(body: dict[str, Any], *contested: str) -> list[dict[str, Any]]:
    version, managers = takeover.patch(body, contested, "gitopsd")
    assert version == {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}
    assert managers["path"] == "/metadata/managedFields"
    found: list[dict[str, Any]] = managers["value"]
    return found


def test_nothing_to_take_is_no_patch() -> None:
    assert takeover.patch(_object(_entry("kubelet")), ["kubectl"], "gitopsd") == []
    assert takeover.patch({"metadata": {}}, ["kubectl"], "gitopsd") == []


def test_what_is_held_under_our_own_name_already_is_not_moved() -> None:
    assert takeover.patch(_object(_entry("gitopsd", "Apply", {"f:data": {}})), ["gitopsd"], "gitopsd") == []


def test_the_fields_become_an_apply_entry_of_ours() -> None:
    body = _object(_entry("kubectl", fields={"f:data": {"f:x": {}}}, time="t"), _entry("kubelet"))
    own, other = _moved(body, "kubectl")
    assert (own["manager"], own["operation"], own["fieldsType"], own["time"]) == ("gitopsd", "Apply", "FieldsV1", "t")
    assert own["fieldsV1"] == {"f:data": {"f:x": {}}}
    assert other == _entry("kubelet")


def test_the_fields_of_several_managers_and_our_own_are_united() -> None:
    body = _object(
        _entry("gitopsd", "Apply", {"f:data": {".": {}, "f:a": {}}}, time="ours"),
        _entry("kubectl-edit", fields={"f:data": {"f:b": {}}}),
        _entry("kubectl", "Apply", {"f:metadata": {"f:labels": {"f:c": {}}}}),
    )
    [own] = _moved(body, "kubectl", "kubectl-edit")
    assert own["fieldsV1"] == {"f:data": {".": {}, "f:a": {}, "f:b": {}}, "f:metadata": {"f:labels": {"f:c": {}}}}
    assert own["time"] == "ours"


def test_entries_of_subresources_stay() -> None:
    status = _entry("kubectl", subresource="status", fields={"f:status": {}})
    body = _object(_entry("kubectl", fields={"f:data": {}}), status)
    assert status in _moved(body, "kubectl")

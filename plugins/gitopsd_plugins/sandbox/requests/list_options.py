"""Options of lists and watches that do not go together, or are none."""

from __future__ import annotations

from collections.abc import Iterator

from gitopsd_plugins.sandbox.requests import status
from gitopsd_plugins.sandbox.requests.call import Call, whole
from gitopsd_plugins.sandbox.requests.status import Cause

_MATCH = "resourceVersionMatch"
_MATCHES = ("Exact", "NotOlderThan")


def check(call: Call) -> None:
    """Refuse what a list cannot be asked. Raises `Refused`."""
    _check_numbers(call)
    _refuse(list(_of_list(call)))


def check_watch(call: Call) -> None:
    """Refuse what a watch cannot be asked. Raises `Refused`."""
    _check_numbers(call)
    match = call.query.get(_MATCH, "")
    if "sendInitialEvents" in call.query and match != "NotOlderThan":
        why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
    elif match and "sendInitialEvents" not in call.query:
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
    else:
        return
    _refuse([_forbidden(_MATCH, why)])


def _check_numbers(call: Call) -> None:
    for name in ("timeoutSeconds", "limit"):
        whole(call.query, name)


def _of_list(call: Call) -> Iterator[Cause]:
    match, version = call.query.get(_MATCH, ""), call.query.get("resourceVersion", "")
    if match and not version:
        yield _forbidden(_MATCH, "resourceVersionMatch is forbidden unless resourceVersion is provided")
    if match and call.query.get("continue"):
        yield _forbidden(_MATCH, "resourceVersionMatch is forbidden when continue is provided")
    if match and match not in _MATCHES:
        message = f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan", ""'
        yield Cause(_MATCH, "FieldValueNotSupported", message)
    if match == "Exact" and version == "0":
        yield _forbidden(_MATCH, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
    if "sendInitialEvents" in call.query:
        yield _forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")


def _forbidden(field: str, why: str) -> Cause:
    return Cause(field, "FieldValueForbidden", f"Forbidden: {why}")


def _refuse(causes: list[Cause]) -> None:
    if causes:
        raise status.invalid("meta.k8s.io", "ListOptions", "", causes)

"""Label and field selectors: text to a predicate on objects.

The grammar of labels is in `label_selectors.py`; that of fields is a few words. What the server refuses is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from gitopsd_plugins.sandbox.facts.resources import Resource
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import status
from gitopsd_plugins.sandbox.views import label_selectors
from gitopsd_plugins.sandbox.views.label_selectors import Requirement

Predicate = Callable[[Json], bool]


def combined(resource: Resource, labels: str, fields: str) -> Predicate | None:
    """The predicate of both selectors; None when they select everything. Raises `Refused`."""
    tests = [*_label_tests(labels), *_field_tests(resource, fields)]
    if not tests:
        return None
    return lambda body: all(test(body) for test in tests)


def _label_tests(text: str) -> list[Predicate]:
    return [_label_test(each) for each in label_selectors.read(text)]


def _label_test(each: Requirement) -> Predicate:
    match each.operator:
        case "":
            return _present(each.key)
        case "!":
            return _absent(each.key)
        case "in" | "=" | "==":
            return _in(each.key, each.values)
        case "notin" | "!=":
            return _not_in(each.key, each.values)
    return _compare(each.key, each.operator, int(next(iter(each.values))))


def _labels(body: Json) -> Json:
    return body["metadata"].get("labels") or {}


def _in(key: str, values: frozenset[str]) -> Predicate:
    return lambda body: _labels(body).get(key) in values


def _not_in(key: str, values: frozenset[str]) -> Predicate:
    return lambda body: _labels(body).get(key) not in values


def _present(key: str) -> Predicate:
    return lambda body: key in _labels(body)


def _absent(key: str) -> Predicate:
    return lambda body: key not in _labels(body)


def _compare(key: str, operator: str, bound: int) -> Predicate:
    return lambda body: _number(_labels(body).get(key), bound, greater=operator == ">")


def _number(text: Any, bound: int, *, greater: bool) -> bool:
    if not isinstance(text, str) or not re.fullmatch(r"-?\d+", text):
        return False
    return int(text) > bound if greater else int(text) < bound


def _field_tests(resource: Resource, text: str) -> list[Predicate]:
    return [_field_test(resource, part) for part in text.split(",") if part.strip()]


def _field_test(resource: Resource, text: str) -> Predicate:
    match = re.fullmatch(r"\s*([^=!]+?)\s*(==|=|!=)\s*(.*?)\s*", text)
    if match is None:
        raise status.bad_request(f"invalid selector: '{text}'; can't understand '{text}'")
    path, operator, wanted = match.groups()
    if path not in ("metadata.name", "metadata.namespace", *resource.selectable):
        raise status.bad_request(_unknown_field(resource, path))
    keys = path.split(".")
    if operator == "!=":
        return lambda body: _at(body, keys) != wanted
    return lambda body: _at(body, keys) == wanted


def _unknown_field(resource: Resource, path: str) -> str:
    if resource.custom or resource.group not in ("", "apps", "batch"):
        return (
            f"field label not supported: {path}"
            if resource.custom
            else f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"'
        )
    if resource.selectable:
        return f"field label not supported: {path}"
    return f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def _at(body: Any, keys: list[str]) -> str:
    for key in keys:
        body = body.get(key) if isinstance(body, dict) else None
    if isinstance(body, bool):
        return "true" if body else "false"
    return "" if body is None else str(body)


def matches(selector: Json | None, labels: Json) -> bool:
    """Whether a LabelSelector object (`matchLabels`, `matchExpressions`) selects these labels."""
    selector = selector or {}
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_expression(entry, labels) for entry in selector.get("matchExpressions") or ())


def _expression(entry: Json, labels: Json) -> bool:
    key, values = entry.get("key", ""), entry.get("values") or ()
    match entry.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False

"""What is wrong with labels, annotations and label selectors, wherever they stand: on objects, on templates of pods, in workloads.

It sees one such map and says where it breaks a rule, in the API server's words; which kinds have them is known elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from gitopsd_plugins.sandbox.facts import names
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import causes
from gitopsd_plugins.sandbox.requests.status import Cause

ANNOTATIONS_LIMIT = 256 * 1024
"""Bytes of all keys and values."""


def of_labels(found: Json, path: str) -> Iterator[Cause]:
    """What is wrong with labels."""
    for key, value in found.items():
        if why := names.qualified(key):
            yield causes.wrong(path, key, why)
        if why := names.label_value(value):
            yield causes.wrong(path, value, why)


def of_annotations(found: Json, path: str) -> Iterator[Cause]:
    """What is wrong with annotations."""
    for key in found:
        if why := names.qualified(key.lower()):
            yield causes.wrong(path, key, why)
    if sum(len(key) + len(value) for key, value in found.items()) > ANNOTATIONS_LIMIT:
        yield Cause(path, "FieldValueTooLong", f"Too long: may not be more than {ANNOTATIONS_LIMIT} bytes")


def of_selector(found: Json, path: str) -> Iterator[Cause]:
    """What is wrong with a selector of labels (`matchLabels`, `matchExpressions`)."""
    yield from of_labels(found.get("matchLabels") or {}, f"{path}.matchLabels")
    for index, expression in enumerate(found.get("matchExpressions") or ()):
        yield from _expression(expression, f"{path}.matchExpressions[{index}]")


def _expression(expression: Json, path: str) -> Iterator[Cause]:
    operator, values = expression.get("operator", ""), expression.get("values") or ()
    if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        yield causes.wrong(f"{path}.operator", operator, "not a valid selector operator")
    elif operator in ("In", "NotIn") and not values:
        yield causes.required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist") and values:
        why = "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        yield Cause(f"{path}.values", "FieldValueForbidden", why)
    if why := names.qualified(expression.get("key", "")):
        yield causes.wrong(f"{path}.key", expression.get("key", ""), why)
    for index, value in enumerate(values):
        if why := names.label_value(value):
            yield causes.wrong(f"{path}.values[{index}]", value, why)


def of_template(template: Json, path: str) -> Iterator[Cause]:
    """Labels and annotations of pods to come; the API server leaves `metadata` out where it names them."""
    metadata = template.get("metadata") or {}
    yield from of_labels(metadata.get("labels") or {}, f"{path}.labels")
    yield from of_annotations(metadata.get("annotations") or {}, f"{path}.annotations")

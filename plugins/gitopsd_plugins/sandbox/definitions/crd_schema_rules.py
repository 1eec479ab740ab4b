"""Whether the schema of a custom resource definition is structural: what it must say at each place, and what excludes what.

It sees the schema as the definition has it and knows no objects. Rules in CEL are judged in `crd_expression_rules.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gitopsd_plugins.sandbox.definitions import crd_expression_rules, crd_expressions
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import causes
from gitopsd_plugins.sandbox.requests.status import Cause

TYPES = ("array", "boolean", "integer", "number", "object", "string")
_PYTHON: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}
_FREE = ("x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields")
"""What takes the place of a type."""


def of_root(schema: Json, path: str) -> Iterator[Cause]:
    """What is wrong with a whole schema."""
    kind = schema.get("type", "")
    if not kind:
        yield causes.required(f"{path}.type", "must not be empty at the root")
    elif kind != "object":
        yield causes.wrong(f"{path}.type", kind, "must be object at the root")
    yield from _node(schema, path)


def _node(schema: Json, path: str, lost: str = "") -> Iterator[Cause]:
    """What is wrong at a place and below; `lost` as in `crd_expression_rules.of_node`."""
    kind = schema.get("type", "")
    if kind and kind not in TYPES:
        yield causes.unsupported(f"{path}.type", kind, TYPES)
    if "properties" in schema and schema.get("additionalProperties"):
        why = "Forbidden: additionalProperties and properties are mutual exclusive"
        yield Cause(f"{path}.additionalProperties", "FieldValueForbidden", why)
    if "pattern" in schema and not _is_pattern(schema["pattern"]):
        why = "must be a valid regular expression"
        yield causes.wrong(f"{path}.pattern", schema["pattern"], why)
    if kind == "array":
        yield from _array(schema, path, lost)
    yield from _default(schema, path)
    yield from crd_expression_rules.of_node(schema, path, lost)
    if schema.get("x-kubernetes-map-type") == "atomic":
        lost = lost or path
    for name, below in (schema.get("properties") or {}).items():
        yield from _child(below, f"{path}.properties[{name}]", "for specified object fields", lost)
    if isinstance(more := schema.get("additionalProperties"), dict):
        yield from _child(more, f"{path}.additionalProperties", "for specified object fields", lost)


def _child(schema: Json, path: str, where: str, lost: str) -> Iterator[Cause]:
    if not schema.get("type") and not any(schema.get(name) for name in _FREE):
        yield causes.required(f"{path}.type", f"must not be empty {where}")
    yield from _node(schema, path, lost)


def _array(schema: Json, path: str, lost: str) -> Iterator[Cause]:
    items = schema.get("items")
    if not isinstance(items, dict):
        yield causes.required(f"{path}.items", "must be specified")
        return
    if schema.get("x-kubernetes-list-type") == "map":
        if not schema.get("x-kubernetes-list-map-keys"):
            why = "must not be empty if x-kubernetes-list-type is map"
            yield causes.required(f"{path}.x-kubernetes-list-map-keys", why)
        if items.get("type") != "object":
            why = "must be object if parent array's x-kubernetes-list-type is map"
            yield causes.wrong(f"{path}.items.type", items.get("type", ""), why)
    if schema.get("x-kubernetes-list-type") != "map":
        lost = lost or path
    yield from _child(items, f"{path}.items", "for specified array items", lost)


def _default(schema: Json, path: str) -> Iterator[Cause]:
    """A default must be of the schema's type."""
    default, kind = schema.get("default"), schema.get("type", "")
    if default is None or kind not in _PYTHON:
        return
    if not isinstance(default, _PYTHON[kind]) or (isinstance(default, bool) and kind != "boolean"):
        shown = f'"{_name(default)}"'
        why = f"Invalid value: {shown}:  in body must be of type {kind}: {shown}"
        yield Cause(f"{path}.default", "FieldValueTypeInvalid", why)
    elif crd_expressions.KEYWORD in schema:
        yield from _breaks_rules(default, schema, path)


def _breaks_rules(default: Any, schema: Json, path: str) -> Iterator[Cause]:
    """The rules in CEL of the place that a default breaks; none where the rules themselves are wrong, which is told already."""
    if not list(crd_expression_rules.of_node(schema, path, "")):
        yield from crd_expressions.of_value(default, schema, f"{path}.default")


def _name(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return {str: "string", int: "integer", float: "number", list: "array"}.get(type(value), "object")


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        # Go has character classes and flags that Python spells otherwise; what is plainly broken is so in both
        return text.count("(") == text.count(")") and text.count("[") == text.count("]")
    return True

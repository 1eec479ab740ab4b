"""Checks custom resources by the rules of their schema: types, required fields, enumerations, bounds, patterns.

It knows schemas and says where a value breaks one, in the API server's words. CEL rules (`x-kubernetes-validations`) are
not evaluated, and `anyOf`, `oneOf`, `allOf` and `not` are not either: the sandbox accepts more than a real server there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from gitopsd_plugins.sandbox.resources import Resource
from gitopsd_plugins.sandbox.schema import ANY, Json, Schema
from gitopsd_plugins.sandbox.status import Cause
from gitopsd_plugins.sandbox.store import encode

_TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "string": ("string", (str,)),
    "boolean": ("boolean", (bool,)),
    "integer": ("integer", (int,)),
    "number": ("number", (int, float)),
    "int-or-string": ("integer,string", (int, str)),
}


def of(resource: Resource, body: Json) -> list[Cause]:
    """What is wrong with a custom resource; nothing for built-in kinds."""
    if not resource.custom:
        return []
    causes: list[Cause] = []
    for name, value in body.items():
        below = resource.schema.fields.get(name)
        if below is not None and name not in ("apiVersion", "kind", "metadata"):
            causes.extend(_node(value, below, name))
    causes.extend(_missing(body, resource.schema, ""))
    return sorted(causes, key=lambda cause: cause.field)


def _node(value: Any, schema: Schema, path: str) -> Iterator[Cause]:
    if value is None and schema.nullable:
        return
    match schema.shape:
        case "map":
            yield from _map(value, schema, path)
        case "list":
            yield from _list(value, schema, path)
        case "scalar":
            yield from _scalar(value, schema, path)


def _wrong_type(value: Any, wanted: str, path: str) -> Cause:
    shown = "null" if value is None else f'"{_type_name(value)}"'
    return Cause(
        path, "FieldValueTypeInvalid", f"Invalid value: {shown}: {path} in body must be of type {wanted}: {shown}"
    )


def _type_name(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return {str: "string", int: "integer", float: "number", list: "array", dict: "object"}[type(value)]


def _map(value: Any, schema: Schema, path: str) -> Iterator[Cause]:
    if not isinstance(value, dict):
        yield _wrong_type(value, "object", path)
        return
    yield from _missing(value, schema, path)
    for name, item in value.items():
        below = schema.fields.get(name) or schema.element or ANY
        if below is not ANY:
            yield from _node(item, below, f"{path}.{name}")
    most, least = schema.rules.get("maxProperties"), schema.rules.get("minProperties")
    if most is not None and len(value) > most:
        yield Cause(path, "FieldValueTooMany", f"Too many: {len(value)}: must have at most {most} items")
    if least is not None and len(value) < least:
        yield Cause(
            path,
            "FieldValueInvalid",
            f"Invalid value: {len(value)}: {path} in body should have at least {least} properties",
        )


def _missing(value: Json, schema: Schema, path: str) -> Iterator[Cause]:
    for name in schema.required:
        if name not in value and name not in ("apiVersion", "kind", "metadata"):
            yield Cause(f"{path}.{name}" if path else name, "FieldValueRequired", "Required value")


def _list(value: Any, schema: Schema, path: str) -> Iterator[Cause]:
    if not isinstance(value, list):
        yield _wrong_type(value, "array", path)
        return
    most, least = schema.rules.get("maxItems"), schema.rules.get("minItems")
    if most is not None and len(value) > most:
        yield Cause(path, "FieldValueTooMany", f"Too many: {len(value)}: must have at most {most} items")
    if least is not None and len(value) < least:
        yield Cause(
            path, "FieldValueInvalid", f"Invalid value: {len(value)}: {path} in body should have at least {least} items"
        )
    for index, item in enumerate(value):
        yield from _node(item, schema.element or ANY, f"{path}[{index}]")
    yield from _repeated(value, schema, path)


def _repeated(items: list[Any], schema: Schema, path: str) -> Iterator[Cause]:
    """Items of a set or of a list with keys that are there twice."""
    if schema.atomic:
        return
    seen: set[bytes] = set()
    for index, item in enumerate(items):
        if schema.keys and not isinstance(item, dict):
            continue
        identity = {key: item.get(key) for key in schema.keys} if schema.keys else item
        text = encode(identity)
        if text in seen:
            yield Cause(f"{path}[{index}]", "FieldValueDuplicate", f"Duplicate value: {text.decode()}")
        seen.add(text)


def _scalar(value: Any, schema: Schema, path: str) -> Iterator[Cause]:
    wanted, accepted = _TYPES.get(schema.scalar, ("", ()))
    if accepted and not _fits(value, schema.scalar, accepted):
        yield _wrong_type(value, wanted, path)
        return
    rules = schema.rules
    if not rules:
        return
    if "enum" in rules and value not in rules["enum"]:
        supported = ", ".join(encode(each).decode() for each in rules["enum"])
        yield Cause(
            path,
            "FieldValueNotSupported",
            f"Unsupported value: {encode(value).decode()}: supported values: {supported}",
        )
    if isinstance(value, str):
        yield from _text(value, rules, path)
    elif isinstance(value, int | float):
        yield from _number(value, rules, path)


def _fits(value: Any, scalar: str, accepted: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return scalar == "boolean"
    return isinstance(value, accepted) or (scalar == "integer" and isinstance(value, float) and value.is_integer())


def _text(value: str, rules: Any, path: str) -> Iterator[Cause]:
    shown = encode(value).decode()
    if "maxLength" in rules and len(value) > rules["maxLength"]:
        yield Cause(path, "FieldValueTooLong", f"Too long: may not be more than {rules['maxLength']} bytes")
    if "minLength" in rules and len(value) < rules["minLength"]:
        least = rules["minLength"]
        yield Cause(
            path, "FieldValueInvalid", f"Invalid value: {shown}: {path} in body should be at least {least} chars long"
        )
    if "pattern" in rules and (found := _pattern(rules["pattern"])) is not None and not found.search(value):
        yield Cause(
            path, "FieldValueInvalid", f"Invalid value: {shown}: {path} in body should match '{rules['pattern']}'"
        )


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str] | None:
    """The pattern; None for one that Go's syntax has and Python's has not."""
    try:
        return re.compile(text)
    except re.error:
        return None


def _number(value: float, rules: Any, path: str) -> Iterator[Cause]:
    low, high = rules.get("minimum"), rules.get("maximum")
    if low is not None and (value < low or (rules.get("exclusiveMinimum") and value == low)):
        yield Cause(
            path,
            "FieldValueInvalid",
            f"Invalid value: {value}: {path} in body should be greater than or equal to {low}",
        )
    if high is not None and (value > high or (rules.get("exclusiveMaximum") and value == high)):
        yield Cause(
            path, "FieldValueInvalid", f"Invalid value: {value}: {path} in body should be less than or equal to {high}"
        )

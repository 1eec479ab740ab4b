"""Checks custom resources by the rules of their schema: types, required fields, enumerations, bounds, patterns.

It knows schemas and says where a value breaks one, in the API server's words. Rules in CEL are in `crd_expressions.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from gitopsd_plugins.sandbox.definitions import crd
from gitopsd_plugins.sandbox.facts import formats
from gitopsd_plugins.sandbox.facts.resources import Resource
from gitopsd_plugins.sandbox.facts.schema import ANY, Json, Schema
from gitopsd_plugins.sandbox.requests.status import Cause
from gitopsd_plugins.sandbox.storage.store import encode

_TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "string": ("string", (str,)),
    "boolean": ("boolean", (bool,)),
    "integer": ("integer", (int,)),
    "number": ("number", (int, float)),
    "int-or-string": ("integer,string", (int, str)),
}


_ABSENT: Any = object()


def of(resource: Resource, body: Json, live: Json | None = None) -> list[Cause]:
    """What is wrong with a custom resource; nothing for built-in kinds.

    What stands in `live` too is not looked at: a definition that became stricter does not stop writes of something else.
    """
    if not resource.custom:
        return []
    causes: list[Cause] = []
    for name, value in body.items():
        below = resource.schema.fields.get(name)
        if below is not None and name not in ("apiVersion", "kind", "metadata"):
            causes.extend(_node(value, below, name, (live or {}).get(name, _ABSENT)))
    causes.extend(_missing(body, resource.schema, ""))
    causes.extend(_scale(body, resource.scale or {}))
    return sorted(causes, key=lambda cause: cause.field)


def _scale(body: Json, paths: Json) -> Iterator[Cause]:
    """The numbers that the scale subresource shows."""
    for name in ("specReplicasPath", "statusReplicasPath"):
        value: Any = body
        for key in paths.get(name, "").strip(".").split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, int) and value < 0:
            why = f"Invalid value: {value}: should be a non-negative integer"
            yield Cause(paths[name], "FieldValueInvalid", why)


def _node(value: Any, schema: Schema, path: str, old: Any = _ABSENT) -> Iterator[Cause]:
    if (value is None and schema.nullable) or value == old:
        return
    match schema.shape:
        case "map":
            yield from _map(value, schema, path, old)
        case "list":
            yield from _list(value, schema, path, old)
        case "scalar":
            yield from _scalar(value, schema, path)
    if schema.rules:
        yield from _combined(value, schema.rules, path)


_LOGIC = ("allOf", "anyOf", "not", "oneOf")


def _combined(value: Any, rules: Mapping[str, Any], path: str) -> Iterator[Cause]:
    """The rules that are made of other schemas."""
    for keyword in _LOGIC:
        if keyword not in rules:
            continue
        schemas = rules[keyword] if isinstance(rules[keyword], list) else [rules[keyword]]
        found = [list(_node(value, _for(value, schema), path)) for schema in schemas]
        valid = sum(not each for each in found)
        why = _LOGICAL[keyword](valid, len(found))
        if not why:
            continue
        if keyword == "allOf":
            yield from (cause for each in found for cause in each)
        elif not valid and keyword != "not":
            yield from found[0]
        yield Cause("<nil>", "FieldValueInvalid", f'Invalid value: "": "{path}" {why}')


_LOGICAL: dict[str, Callable[[int, int], str]] = {
    "allOf": lambda valid, count: "" if valid == count else "must validate all the schemas (allOf)",
    "anyOf": lambda valid, _: "" if valid else "must validate at least one schema (anyOf)",
    "not": lambda valid, _: "must not validate the schema (not)" if valid else "",
    "oneOf": lambda valid, _: _one_of(valid),
}


def _one_of(valid: int) -> str:
    if valid == 1:
        return ""
    found = f"Found {valid} valid alternatives" if valid else "Found none valid"
    return f"must validate one and only one schema (oneOf). {found}"


def _for(value: Any, schema: Json) -> Schema:
    """The node of a schema that leaves the type to the place where it stands."""
    return crd.node_of(schema if "type" in schema else {**schema, "type": _type_name(value)})


def _wrong_type(value: Any, wanted: str, path: str) -> Cause:
    shown = "null" if value is None else f'"{_type_name(value)}"'
    return Cause(
        path, "FieldValueTypeInvalid", f"Invalid value: {shown}: {path} in body must be of type {wanted}: {shown}"
    )


def _type_name(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return {str: "string", int: "integer", float: "number", list: "array", dict: "object"}.get(type(value), "null")


def _map(value: Any, schema: Schema, path: str, old: Any) -> Iterator[Cause]:
    if not isinstance(value, dict):
        yield _wrong_type(value, "object", path)
        return
    yield from _missing(value, schema, path)
    held = old if isinstance(old, dict) and not schema.atomic else {}
    for name, item in value.items():
        below = schema.fields.get(name) or schema.element or ANY
        if below is not ANY:
            yield from _node(item, below, f"{path}.{name}", held.get(name, _ABSENT))
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


def _list(value: Any, schema: Schema, path: str, old: Any) -> Iterator[Cause]:
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
    held = {identity(item, schema): item for item in old} if schema.keys and isinstance(old, list) else {}
    for index, item in enumerate(value):
        before = held.get(identity(item, schema), _ABSENT) if held else _ABSENT
        yield from _node(item, schema.element or ANY, f"{path}[{index}]", before)
    yield from _repeated(value, schema, path)


def _repeated(items: list[Any], schema: Schema, path: str) -> Iterator[Cause]:
    """Items of a set or of a list with keys that are there twice."""
    if schema.atomic:
        return
    seen: set[bytes] = set()
    for index, item in enumerate(items):
        if schema.keys and not isinstance(item, dict):
            continue
        text = identity(item, schema)
        if text in seen:
            yield Cause(f"{path}[{index}]", "FieldValueDuplicate", f"Duplicate value: {text.decode()}")
        seen.add(text)


def identity(item: Any, schema: Schema) -> bytes:
    """What makes an item the same one, as JSON."""
    return encode({key: item.get(key) for key in schema.keys} if schema.keys and isinstance(item, dict) else item)


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
    if "format" in rules and not formats.fits(value, rules["format"]):
        why = f"{path} in body must be of type {rules['format']}: {shown}"
        yield Cause(path, "FieldValueTypeInvalid", f"Invalid value: {shown}: {why}")
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
    low, high, step = rules.get("minimum"), rules.get("maximum"), rules.get("multipleOf")
    above, below = rules.get("exclusiveMinimum"), rules.get("exclusiveMaximum")
    why = ""
    if low is not None and (value < low or (above and value == low)):
        why = f"greater than {low}" if above else f"greater than or equal to {low}"
    elif high is not None and (value > high or (below and value == high)):
        why = f"less than {high}" if below else f"less than or equal to {high}"
    elif step and Decimal(str(value)) % Decimal(str(step)):
        why = f"a multiple of {step}"
    if why:
        yield Cause(path, "FieldValueInvalid", f"Invalid value: {value}: {path} in body should be {why}")

"""Which fields a value states: the set that an apply makes its manager own, and the checks that go with it.

`of` walks a manifest along its schema and refuses what the schema does not know, in the API server's words, because a
field without a schema has no owner. `named` gives the struct fields above a set, which pruning treats as its members.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gitopsd_plugins.sandbox.facts.schema import ANY, Json, Schema
from gitopsd_plugins.sandbox.merging import elements
from gitopsd_plugins.sandbox.merging.fields import MEMBER, FieldSet, marked, of_key
from gitopsd_plugins.sandbox.merging.strategic import go


class Untyped(Exception):  # noqa: N818 - says what the value is
    """The value does not fit its schema; the message names each path, for example `.spec.foo: field not declared in schema`."""


def of(value: Json, schema: Schema, *, lenient: bool = False) -> FieldSet:
    """The fields that an object states. Raises `Untyped`; `lenient` takes what a live object may hold as it is."""
    wrong: list[str] = []
    found = _map(value, schema, "", None if lenient else wrong) or {}
    if wrong:
        raise Untyped(wrong[0] if len(wrong) == 1 else "errors:\n  " + "\n  ".join(sorted(wrong)))
    return found


Wrong = list[str] | None
"""Where errors are put; None where a value is taken as it is."""


def _node(value: Any, schema: Schema, path: str, wrong: Wrong) -> FieldSet | None:
    """The node below a field; MEMBER for a leaf, None where there is nothing to own."""
    if value is None:
        return MEMBER
    match schema.shape:
        case "scalar":
            if wrong is not None:
                wrong.extend(_of_scalar(value, schema, path))
            return MEMBER
        case "list":
            return _list(value, schema, path, wrong)
        case "map":
            return _struct(value, schema, path, wrong)
    return _map(value, schema, path, wrong) if isinstance(value, dict) else MEMBER


def _struct(value: Any, schema: Schema, path: str, wrong: Wrong) -> FieldSet | None:
    if not isinstance(value, dict):
        if wrong is not None:
            wrong.append(f"{path}: expected map, got &{{{go(value)}}}")
        return MEMBER
    if schema.atomic:
        _map(value, schema, path, wrong)
        return MEMBER
    return _map(value, schema, path, wrong)


def _map(value: Json, schema: Schema, path: str, wrong: Wrong) -> FieldSet | None:
    """The members below a map; None when it has keys but nothing to own below them (an empty associative list)."""
    result: FieldSet = {}
    for name, item in value.items():
        below = schema.child(name)
        if type(item) is str and below is not None and below.scalar == "string":  # most of what manifests hold
            result[of_key(name)] = MEMBER
            continue
        if below is None:
            if wrong is not None:
                wrong.append(f"{path}.{name}: field not declared in schema")
                continue
            below = ANY
        node = _node(item, below, f"{path}.{name}", wrong)
        if name not in schema.fields:
            node = marked(node or MEMBER)
        if node is not None:
            result[of_key(name)] = node
    return result if result or not value else None


def _list(value: Any, schema: Schema, path: str, wrong: Wrong) -> FieldSet | None:
    if not isinstance(value, list):
        if wrong is not None:
            wrong.append(f"{path}: expected list, got &{{{go(value)}}}")
        return MEMBER
    if schema.atomic:
        for index, item in enumerate(value):
            _node(item, schema.element or ANY, f"{path}[{index}]", wrong)
        return MEMBER
    result: FieldSet = {}
    for index, item in enumerate(value):
        try:
            element = elements.of(item, schema)
        except elements.Unnamed as error:
            if wrong is not None:
                wrong.append(f"{path}: element {index}: {error}")
            continue
        if element in result and wrong is not None:
            wrong.append(f"{path}: duplicate entries for key {_keys(element)}")
        node = _node(item, schema.element or ANY, f"{path}{_keys(element)}", wrong)
        result[element] = marked(node or MEMBER)
    return result or None


def _keys(element: str) -> str:
    if element.startswith("v:"):
        return f"[={element[2:]}]"
    keys: Json = msgspec.json.decode(element[2:])
    return "[" + ",".join(f"{name}={msgspec.json.encode(item).decode()}" for name, item in keys.items()) + "]"


_EXPECTED: dict[str, tuple[str, tuple[type, ...]]] = {
    "boolean": ("boolean", (bool,)),
    "integer": ("numeric (int or float)", (int, float)),
    "int32": ("numeric (int or float)", (int, float)),
    "int64": ("numeric (int or float)", (int, float)),
    "number": ("numeric (int or float)", (int, float)),
    "double": ("numeric (int or float)", (int, float)),
    "string": ("string", (str,)),
    "byte": ("string", (str,)),
}


def _of_scalar(value: Any, schema: Schema, path: str) -> list[str]:
    """What is wrong with a scalar, if anything."""
    wanted, accepted = _EXPECTED.get(schema.scalar, ("any scalar", (str, int, float, bool)))
    if isinstance(value, dict | list) or not isinstance(value, accepted):
        return [f"{path}: expected {wanted}, got {_shown(value, wanted)}"]
    if isinstance(value, bool) and wanted in ("string", "numeric (int or float)"):
        return [f"{path}: expected {wanted}, got {_shown(value, wanted)}"]
    return []


_GO_TYPES = {bool: "bool", str: "string", list: "[]interface {}", dict: "map[string]interface {}"}


def _shown(value: Any, wanted: str) -> str:
    """A value in the words of the server's error messages, which has others for each sort of scalar."""
    if wanted == "string":
        return f"&value.valueUnstructured{{Value:{_literal(value)}}}"
    return _GO_TYPES.get(type(value), "int64") if wanted.startswith("numeric") else f"&{{{go(value)}}}"


def _literal(value: Any) -> str:
    """A value as Go's source has it."""
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(map(_literal, value)) + "}"
    if isinstance(value, dict):
        return "map[string]interface {}{" + ", ".join(f'"{key}":{_literal(item)}' for key, item in value.items()) + "}"
    return "interface {}(nil)" if value is None else msgspec.json.encode(value).decode()


def named(fields: FieldSet, schema: Schema) -> FieldSet:
    """The set with the struct fields above its members as members too; keys of maps and items of lists stay as they are."""
    result: FieldSet = {}
    for element, node in fields.items():
        if element == "." or not node:
            result[element] = node
            continue
        below = _below(element, schema)
        inner = named(node, below)
        is_struct_field = element.startswith("f:") and element[2:] in schema.fields
        result[element] = marked(inner) if is_struct_field else inner
    return result


def _below(element: str, schema: Schema) -> Schema:
    if schema.shape == "any":
        return ANY
    if element.startswith("f:"):
        return schema.child(element[2:]) or ANY
    return schema.element or ANY

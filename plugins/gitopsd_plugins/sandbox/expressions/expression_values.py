"""What rules in CEL see of a custom resource: fields under the names that CEL can write, numbers and times of their type.

It knows schemas, and no expressions.
"""

from __future__ import annotations

import base64
import re
from typing import Any

import msgspec

from gitopsd_plugins.sandbox.facts import type_table
from gitopsd_plugins.sandbox.facts.schema import ANY, Json, Schema

_RESERVED = frozenset((
    "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop",
    "package", "namespace", "return", "var", "void", "while",
))  # fmt: skip
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SIGNS = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))
NAMED = ("name", "generateName")
"""What rules see of metadata."""


class Moment(str):
    """A timestamp."""

    __slots__ = ()
    function = "timestamp"


class Span(str):
    """A duration."""

    __slots__ = ()
    function = "duration"


def of(value: Any, schema: Schema) -> Any:
    """A value as its schema says that it is."""
    if isinstance(value, dict):
        return _map(value, schema)
    if isinstance(value, list):
        return [of(item, schema.element or ANY) for item in value]
    match schema.scalar, schema.rules.get("format"):
        case ("number", _) if isinstance(value, int):
            return float(value)
        case ("integer", _) if isinstance(value, float):
            return int(value)
        case ("string", "date-time") if value is not None:
            return Moment(value)
        case ("string", "date") if value is not None:
            return Moment(f"{value}T00:00:00Z")
        case ("string", "duration") if value is not None:
            return Span(value)
        case ("string", "byte") if value is not None:
            return base64.b64decode(value)
    return value


def _map(value: Json, schema: Schema) -> Json:
    if schema.type_name == type_table.OBJECT_META:
        return {name: value[name] for name in NAMED if name in value}
    if not schema.fields:
        return {name: of(item, schema.element or ANY) for name, item in value.items()}
    known = {name: item for name, item in value.items() if name in schema.fields}
    return {escaped(name): of(item, schema.fields[name]) for name, item in known.items()}


def escaped(name: str) -> str:
    """The name of a field as expressions write it."""
    if name in _RESERVED:
        return f"__{name}__"
    if _PLAIN.fullmatch(name) and "__" not in name:
        return name
    for sign, word in _SIGNS:
        name = name.replace(sign, word)
    return name


def has_times(value: Any) -> bool:
    """Whether there is a time anywhere in it."""
    match value:
        case Moment() | Span():
            return True
        case dict():
            return any(map(has_times, value.values()))
        case list():
            return any(map(has_times, value))
    return False


def literal(value: Any) -> str:
    """A value as expressions write it."""
    match value:
        case Moment() | Span():
            return f"{value.function}({_quoted(value)})"
        case dict():
            return "{" + ", ".join(f"{_quoted(name)}: dyn({literal(item)})" for name, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(f"dyn({literal(item)})" for item in value) + "]"
        case bytes():
            return 'b"' + "".join(f"\\x{byte:02x}" for byte in value) + '"'
        case str():
            return _quoted(value)
        case float():
            return f"double({value!r})"
    return msgspec.json.encode(value).decode()


def _quoted(text: str) -> str:
    """JSON's texts are CEL's, but for what CEL does not escape so."""
    return msgspec.json.encode(str(text)).decode()

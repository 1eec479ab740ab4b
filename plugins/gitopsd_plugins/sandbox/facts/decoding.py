"""Reads an object as the API server would: unknown fields are noted and dropped, wrong types refused, nulls left out.

`read` returns the value itself where nothing had to change, so that unchanged parts keep their identity. For built-in
types it also rewrites quantities, because the server's typed decoding does. It decides nothing about unknown fields:
`Decoded.unknown` goes to the caller, who warns, refuses or ignores.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from typing import Any, Literal

from msgspec import Struct, field

from gitopsd_plugins.sandbox.facts import go_time, quantity
from gitopsd_plugins.sandbox.facts.schema import ANY, Json, Schema


class WrongType(Exception):  # noqa: N818 - says what the value has
    """A value that the field's type cannot hold; the message follows Go's JSON decoder."""

    def __init__(self, message: str, restored: str = "") -> None:
        super().__init__(message)
        self.restored = restored or message
        """The same in the words for what is no JSON any more: the results of applies and strategic merge patches."""


def _restored(value: Any, wanted: str) -> str:
    held = _go_kind(value)
    if wanted.startswith("map["):
        return f"cannot restore map from {held}"
    if wanted.startswith("[]") and wanted != "[]uint8":
        return f"cannot restore slice from {held}"
    if "." in wanted and wanted != "types.UID":
        return f"cannot restore struct from: {held}"
    if held == "int64" and wanted in ("string", "types.UID"):
        return f"cannot convert int64 to {wanted}"
    return f"unrecognized type: {wanted.replace('types.UID', 'string')}"


Numbers = Literal["json", "yaml", "restored"]
"""Where numbers come from. In JSON 1.0 is no integer; YAML makes one of it; what applies and strategic merge patches leave is
converted, which cuts an integer to its width."""


class Reader(Struct):
    """One pass over one object. `typed` is False for custom resources, whose types are validated later."""

    kind: str
    typed: bool = True
    numbers: Numbers = "json"
    unknown: list[str] = field(default_factory=list)
    """Paths of unknown fields, in order of appearance."""
    _struct: str = ""
    """The type that is being read, which errors name."""

    def read(self, value: Json, schema: Schema) -> Json:
        """The object without nulls and unknown fields. Raises `WrongType`."""
        return self._map(value, schema, "")

    def _node(self, value: Any, schema: Schema, path: str) -> Any:
        match schema.shape:
            case "scalar":
                return self._scalar(value, schema, path) if self.typed else value
            case "list":
                if isinstance(value, list):
                    return self._items(value, schema.element or ANY, path)
                self._refuse(value, "[]" + _go_type(schema.element or ANY), path)
            case "map":
                if isinstance(value, dict):
                    return self._map(value, schema, path)
                self._refuse(value, _go_type(schema), path)
        return value

    def _refuse(self, value: Any, wanted: str, path: str) -> None:
        if self.typed:
            wanted = "types.UID" if path.endswith("uid") and self._struct == "ObjectMeta" else wanted
            raise WrongType(self._message(json_type(value), path, wanted), _restored(value, wanted))

    def _message(self, held: str, path: str, wanted: str) -> str:
        where = f"{self._struct or self.kind}.{_INDEX.sub('', path)}"
        return f"json: cannot unmarshal {held} into Go struct field {where} of type {wanted}"

    def _items(self, value: list[Any], schema: Schema, path: str) -> list[Any]:
        if schema.shape == "any" or (schema.shape == "scalar" and not self.typed):
            return value
        result = [self._node(item, schema, f"{path}[{index}]") for index, item in enumerate(value)]
        return value if all(new is old for new, old in zip(result, value, strict=True)) else result

    def _map(self, value: Json, schema: Schema, path: str) -> Json:
        result: Json | None = None
        outer, self._struct = self._struct, schema.type_name.rpartition(".")[2] or self._struct
        prefix = f"{path}." if path else ""
        for name, item in value.items():
            below = schema.fields.get(name) or schema.element
            if type(item) is str and item and below is not None and below.scalar == "string":
                continue  # most of what manifests hold
            if below is None:
                self.unknown.append(f"{prefix}{name}")
                new = None
            elif item is None and name not in schema.fields and self.typed:
                new = _ZEROS.get(below.scalar) if below.shape == "scalar" else None
            elif item is None and (below.nullable or below.shape == "any") and not self.typed:
                continue
            else:
                new = self._field(item, below, path if name not in schema.fields else f"{prefix}{name}")
            if new is None or (self.typed and not new and _is_nothing(name, new, schema, below)):
                result = dict(value) if result is None else result
                del result[name]
            elif new is not item:
                result = dict(value) if result is None else result
                result[name] = new
        self._struct = outer
        return value if result is None else result

    def _field(self, item: Any, schema: Schema, path: str) -> Any:
        return item if item is None or schema.shape == "any" else self._node(item, schema, path)

    def _scalar(self, value: Any, schema: Schema, path: str) -> Any:
        kind = schema.scalar
        if type(value) is int and kind in _WHOLE and -_MOST <= value <= _MOST:
            return value  # most numbers
        if kind == "quantity":
            return self._quantity(value)
        if isinstance(value, float) and self.numbers != "json" and kind in _WHOLE and value.is_integer():
            value = int(value)
        wanted, accepted = _GO.get(kind, ("", ()))
        if accepted and (not isinstance(value, accepted) or (isinstance(value, bool) and kind != "boolean")):
            if kind in _PARSED:
                self._refuse_parsed(value, wanted, path)
            self._refuse(value, wanted, path)
        if kind in _WHOLE and not isinstance(value, str) and not (isinstance(value, int) and _fits(value, wanted)):
            return self._unfit(value, kind, wanted, path)
        if kind == "byte":
            value = value.translate({10: None, 13: None})  # Go passes over line ends, and writes none
            _check_base64(value)
        elif kind == "date-time" and (why := go_time.wrong(value)):
            raise WrongType(why)
        return value

    def _unfit(self, value: int | float, kind: str, wanted: str, path: str) -> int:
        """What becomes of a number that is not of its type."""
        if kind in _PARSED:
            self._refuse_parsed(value, wanted, path)
        if self.numbers == "restored" and isinstance(value, int):
            return _cut(value, wanted)
        raise WrongType(self._message(f"number {value}", path, wanted), f"cannot convert float64 to {wanted}")

    def _refuse_parsed(self, value: Any, wanted: str, path: str) -> None:
        """Refuse a value of a type that reads its own JSON."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and wanted in _BITS
        held = f"number {value}" if is_number else json_type(value)
        restored = f"json: cannot unmarshal {held} into Go value of type {wanted}"
        raise WrongType(self._message(held, path, wanted), restored)

    def _quantity(self, value: Any) -> str:
        try:
            text = quantity.canonical(str(value))
        except ValueError as error:
            raise WrongType(str(error)) from error
        return value if text == value else text


_ZEROS = {"string": "", "byte": "", "quantity": "0", "boolean": False, "int32": 0, "int64": 0}
"""What Go makes of a null that a map holds."""


def _is_nothing(name: str, value: Any, schema: Schema, below: Schema | None) -> bool:
    """Whether Go leaves this empty value out, or cannot tell it from none: empty collections and most zeros."""
    if name in schema.omits:
        return True
    if name in schema.zeros:
        return schema.zeros[name] is not None
    return name not in schema.required and _is_collection(value, below)


def _is_collection(value: Any, schema: Schema | None) -> bool:
    """Whether this is a list, or a map with free keys, and no struct."""
    if schema is None or schema.shape == "any":
        return False
    return isinstance(value, list) or (isinstance(value, dict) and not schema.fields and not schema.type_name)


def _check_base64(value: str) -> None:
    try:
        b64decode(value, validate=True)
    except binascii.Error as error:
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
        wrong = next((index for index, char in enumerate(value) if char not in alphabet), len(value) - len(value) % 4)
        message = f"illegal base64 data at input byte {wrong}"
        raise WrongType(message, f"error decoding from json: {message}") from error


_GO: dict[str, tuple[str, tuple[type, ...]]] = {
    "string": ("string", (str,)),
    "boolean": ("bool", (bool,)),
    "integer": ("int64", (int, float)),
    "int32": ("int32", (int, float)),
    "int64": ("int64", (int, float)),
    "double": ("float64", (int, float)),
    "number": ("float64", (int, float)),
    "byte": ("[]uint8", (str,)),
    "date-time": ("string", (str,)),
    "int-or-string": ("int32", (str, int)),
}
_WHOLE = ("integer", "int32", "int64", "int-or-string")
_BITS = {"int32": 32, "int64": 64}
_MOST = (1 << 31) - 1
"""What every integer holds."""
_PARSED = ("date-time", "int-or-string")
"""Types that read their own JSON."""
_INDEX = re.compile(r"\[\d+\]")


def _fits(value: int, wanted: str) -> bool:
    """Whether a Go integer of this type holds the number."""
    return -(1 << (_BITS[wanted] - 1)) <= value < 1 << (_BITS[wanted] - 1)


def _cut(value: int, wanted: str) -> int:
    """What Go makes of a number that its type cannot hold: beyond 64 bits the least there is, else its lowest bits."""
    value = value if _fits(value, "int64") else -(1 << 63)
    half = 1 << (_BITS[wanted] - 1)
    return (value + half) % (2 * half) - half


def _go_type(schema: Schema) -> str:
    """The Go type's name as error messages have it."""
    if schema.type_name:
        version, _, name = schema.type_name.rpartition(".")
        return f"{version.rpartition('.')[2]}.{name}"
    if schema.shape == "scalar":
        return _GO.get(schema.scalar, (schema.scalar, ()))[0]
    if schema.shape == "list":
        return "[]" + _go_type(schema.element or ANY)
    return f"map[string]{_go_type(schema.element or ANY)}" if schema.element else "interface {}"


def _go_kind(value: Any) -> str:
    """What Go calls a JSON value that it has read."""
    names = {bool: "bool", str: "string", int: "int64", float: "float64", list: "slice", dict: "map"}
    return names.get(type(value), "invalid")


def json_type(value: Any) -> str:
    """What Go's errors call a JSON value."""
    if isinstance(value, bool):
        return "bool"
    return {str: "string", int: "number", float: "number", list: "array", dict: "object"}.get(type(value), "null")

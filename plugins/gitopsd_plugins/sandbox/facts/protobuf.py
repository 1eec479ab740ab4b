"""Reads Kubernetes' protobuf bodies, which kubectl sends for `create namespace`, `create deployment`, `auth can-i`, ...

The numbers of fields are in `wire.json`; how a value is encoded follows from its schema. Answers are JSON, which the
same clients accept. Everything read is bounded by the body, and depth by a limit.
"""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from importlib import resources
from typing import Any

import msgspec

from gitopsd_plugins.sandbox.facts.schema import ANY, Json, Schema

MAGIC = b"k8s\x00"
DEPTH = 64
POINTERS = ("replicas", "minReplicas", "completions", "parallelism", "backoffLimit", "terminationGracePeriodSeconds")
"""Numbers whose zero is a value of its own."""
MICRO_TIMES = ("acquireTime", "renewTime", "eventTime", "lastObservedTime")


class Malformed(Exception):  # noqa: N818 - says what the body is
    """The body is no message of its kind."""


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, str]]:
    text = resources.files(__package__).joinpath("wire.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, dict[str, str]])


def read(body: bytes, schema: Schema) -> Json:
    """The object in an envelope. Raises `Malformed`."""
    if not body.startswith(MAGIC):
        raise Malformed("provided data does not appear to be a protobuf message")
    envelope = dict(_fields(body[len(MAGIC) :]))
    names = dict(_fields(_bytes(envelope.get(1, b""))))
    value = _message(_bytes(envelope.get(2, b"")), schema, DEPTH)
    api_version, kind = _text(names.get(1, b"")), _text(names.get(2, b""))
    return {"apiVersion": api_version, "kind": kind, **value}


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field: a number for varints, bytes for everything else."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        match key & 7:
            case 0:
                value, position = _varint(data, position)
                yield key >> 3, value
            case 1:
                yield key >> 3, _slice(data, position, 8)
                position += 8
            case 2:
                length, position = _varint(data, position)
                yield key >> 3, _slice(data, position, length)
                position += length
            case 5:
                yield key >> 3, _slice(data, position, 4)
                position += 4
            case _:
                raise Malformed("unknown wire type")


def _slice(data: bytes, position: int, length: int) -> bytes:
    if position + length > len(data):
        raise Malformed("unexpected end")
    return data[position : position + length]


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise Malformed("unexpected end")
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
    raise Malformed("number is too long")


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise Malformed("a number where a message should be")
    return value


def _text(value: int | bytes) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError as error:
        raise Malformed("text is not UTF-8") from error


def _message(data: bytes, schema: Schema, depth: int) -> Json:
    return _struct(data, schema.type_name, schema, depth)


def _struct(data: bytes, type_name: str, schema: Schema, depth: int) -> Json:
    """A message of a type, whose fields are those of `schema`; embedded structs are written into it."""
    if depth == 0:
        raise Malformed("too deep")
    names = _table().get(type_name)
    if names is None:
        raise Malformed(f"{type_name or 'this type'} is not known as protobuf; send JSON")
    result: Json = {}
    for number, value in _fields(data):
        name = names.get(str(number), "")
        if name.startswith("+"):
            result |= _struct(_bytes(value), name[1:], schema, depth - 1)
        elif name:
            _put(result, name, value, schema.child(name) or ANY, depth)
    return {name: value for name, value in result.items() if not _is_unset(name, value)}


def _is_unset(name: str, value: Any) -> bool:
    """Whether a value is one that Go writes for a field that nobody set. Zero replicas are meant."""
    return value is None or value == "" or value is False or (value == 0 and name not in POINTERS)


def _put(result: Json, name: str, value: int | bytes, schema: Schema, depth: int) -> None:
    if schema.shape == "list":
        result.setdefault(name, []).append(_value(value, schema.element or ANY, depth))
    elif schema.shape == "map" and schema.element is not None:
        entry = dict(_fields(_bytes(value)))
        key = _text(entry.get(1, b""))
        result.setdefault(name, {})[key] = _value(entry.get(2, b""), schema.element, depth)
    elif name in MICRO_TIMES:
        result[name] = _time(_bytes(value), micro=True)
    else:
        result[name] = _value(value, schema, depth)


def _value(value: int | bytes, schema: Schema, depth: int) -> Any:
    match schema.scalar:
        case "boolean":
            return bool(value)
        case "int32" | "int64" | "integer" if isinstance(value, int):
            return value - (1 << 64) if value >> 63 else value
        case "double" | "number":
            return struct.unpack("<d", _bytes(value))[0]
        case "byte":
            return b64encode(_bytes(value)).decode()
        case "date-time":
            return _time(_bytes(value), micro=False)
        case "quantity":
            return _text(dict(_fields(_bytes(value))).get(1, b"0"))
        case "int-or-string":
            return _int_or_string(dict(_fields(_bytes(value))))
        case "string":
            return _text(value)
    return _raw(_bytes(value)) if schema.shape == "any" else _message(_bytes(value), schema, depth - 1)


def _int_or_string(fields: dict[int, int | bytes]) -> int | str | None:
    """A number or text; None for 0, which Go writes for a value that is not set."""
    if fields.get(1):
        return _text(fields.get(3, b""))
    number = fields.get(2, 0)
    return number if isinstance(number, int) and number else None


def _time(data: bytes, *, micro: bool) -> str | None:
    """A time as JSON has it; None for the zero time."""
    fields = dict(_fields(data))
    seconds, nanos = fields.get(1, 0), fields.get(2, 0)
    if not isinstance(seconds, int) or not isinstance(nanos, int) or not 0 < seconds < 1 << 37:
        return None
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{nanos // 1000:06d}Z" if micro else "Z")


def _raw(data: bytes) -> Any:
    """Raw JSON inside a message."""
    text = dict(_fields(data)).get(1, b"null")
    try:
        return msgspec.json.decode(_bytes(text))
    except msgspec.DecodeError as error:
        raise Malformed("raw content is not JSON") from error

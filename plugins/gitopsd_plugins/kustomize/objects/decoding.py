"""Decoding configuration the way Go's YAML and JSON libraries do it: names are taken in any case, null is what the type
begins with: nothing for a known field, the empty text or object in a list or map.

Plugin configurations are read *leniently*, as kustomize reads them: unknown fields are passed over, and a number or
boolean where a text belongs becomes that text. Transformer configurations are *worded*: only the latter holds for them.
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from gitopsd.plugin import spec
from gitopsd_plugins.kustomize.objects.identity import text

T = TypeVar("T", bound=msgspec.Struct)


class Mode(Enum):
    """How exactly a value must fit."""

    STRICT = "strict"
    WORDED = "worded"
    LENIENT = "lenient"


def decode(value: Any, kind: type[T], mode: Mode = Mode.STRICT) -> T:
    """Read a value as `kind`. Raises `SpecError` where it does not fit even so."""
    return spec.decode(_fitted(value, kind, mode), kind)


def _fitted(value: Any, kind: Any, mode: Mode) -> Any:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(value, kind, mode) if isinstance(value, dict) else value
    if kind is str and mode is not Mode.STRICT and not isinstance(value, dict | list):
        return text(value)
    arguments = [a for a in get_args(kind) if a not in {type(None), Ellipsis}]
    match get_origin(kind), value:
        case origin, list() if origin is tuple:
            return [_element(item, arguments[0], mode) for item in value]
        case origin, dict() if origin is dict:
            return {key: _element(item, arguments[1], mode) for key, item in value.items()}
        case origin, _ if origin not in {tuple, dict} and len(arguments) == 1:
            return _fitted(value, arguments[0], mode)
    return value


def _element(value: Any, kind: Any, mode: Mode) -> Any:
    if value is None and kind is str:
        return ""
    if value is None and isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return {}
    return _fitted(value, kind, mode)


def _struct(value: dict[str, Any], kind: type[msgspec.Struct], mode: Mode) -> dict[str, Any]:
    known = _fields(kind)
    fitted: dict[str, Any] = {}
    for key, item in value.items():
        field = known.get(key.lower())
        if field is not None and item is not None:
            fitted[field[0]] = _fitted(item, field[1], mode)
        elif field is None and mode is not Mode.LENIENT:
            fitted[key] = item
    return fitted


@cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, tuple[str, Any]]:
    """Name in lower case -> name as written, and type."""
    hints = get_type_hints(kind)
    return {f.encode_name.lower(): (f.encode_name, hints[f.name]) for f in msgspec.structs.fields(kind)}

"""Decoding configuration the way Go's YAML and JSON libraries do it: names are taken in any case, null is what the type
begins with: nothing for a known field, the empty text or object in a list or map.

Plugin configurations are read *leniently*, as kustomize reads them: unknown fields are passed over, and a number or
boolean where a text belongs becomes that text.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from gitopsd.plugin import spec
from gitopsd_plugins.kustomize.identity import text

T = TypeVar("T", bound=msgspec.Struct)


def decode(value: Any, kind: type[T], *, lenient: bool = False) -> T:
    """Read a value as `kind`. Raises `SpecError` where it does not fit even so."""
    return spec.decode(_fitted(value, kind, lenient), kind)


def _fitted(value: Any, kind: Any, lenient: bool) -> Any:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(value, kind, lenient) if isinstance(value, dict) else value
    if kind is str and lenient and not isinstance(value, dict | list):
        return text(value)
    arguments = [a for a in get_args(kind) if a not in {type(None), Ellipsis}]
    match get_origin(kind), value:
        case origin, list() if origin is tuple:
            return [_element(item, arguments[0], lenient) for item in value]
        case origin, dict() if origin is dict:
            return {key: _element(item, arguments[1], lenient) for key, item in value.items()}
        case origin, _ if origin not in {tuple, dict} and len(arguments) == 1:
            return _fitted(value, arguments[0], lenient)
    return value


def _element(value: Any, kind: Any, lenient: bool) -> Any:
    if value is None and kind is str:
        return ""
    if value is None and isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return {}
    return _fitted(value, kind, lenient)


def _struct(value: dict[str, Any], kind: type[msgspec.Struct], lenient: bool) -> dict[str, Any]:
    known = _fields(kind)
    fitted: dict[str, Any] = {}
    for key, item in value.items():
        field = known.get(key.lower())
        if field is not None and item is not None:
            fitted[field[0]] = _fitted(item, field[1], lenient)
        elif field is None and not lenient:
            fitted[key] = item
    return fitted


@cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, tuple[str, Any]]:
    """Name in lower case -> name as written, and type."""
    hints = get_type_hints(kind)
    return {f.encode_name.lower(): (f.encode_name, hints[f.name]) for f in msgspec.structs.fields(kind)}

"""Decoding the way Go's YAML library does it for plugin configurations: unknown fields are passed over, names are taken
in any case, nulls say nothing, and a number or boolean where a text belongs becomes that text.
"""

from __future__ import annotations

from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from gitopsd.plugin import spec
from gitopsd_plugins.kustomize.identity import text

T = TypeVar("T", bound=msgspec.Struct)


def decode(value: Any, kind: type[T]) -> T:
    """Read a value as `kind`. Raises `SpecError` where it does not fit even so."""
    return spec.decode(_fitted(value, kind), kind)


def _fitted(value: Any, kind: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(value, kind)
    if kind is str and not isinstance(value, dict | list):
        return text(value)
    arguments = [a for a in get_args(kind) if a not in {type(None), Ellipsis}]
    if get_origin(kind) is tuple and isinstance(value, list):
        return [_fitted(item, arguments[0]) for item in value]
    if get_origin(kind) is dict and isinstance(value, dict):
        return {key: _fitted(item, arguments[1]) for key, item in value.items()}
    return _fitted(value, arguments[0]) if len(arguments) == 1 and get_origin(kind) not in {tuple, dict} else value


def _struct(value: Any, kind: type[msgspec.Struct]) -> Any:
    if not isinstance(value, dict):
        return value
    hints = get_type_hints(kind)
    known = {field.encode_name.lower(): field for field in msgspec.structs.fields(kind)}
    fields = ((known.get(key.lower()), item) for key, item in value.items() if item is not None)
    return {field.encode_name: _fitted(item, hints[field.name]) for field, item in fields if field}

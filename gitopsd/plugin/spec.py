"""Decoding a document into a plugin's own frozen struct, with errors that a user can act on.

Fields that the struct does not know, wrong types and values out of range become `SpecError`, which carries the JSON path;
whoever has the file adds the line. A near miss gets a "did you mean".
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from gitopsd.model.errors import Misconfigured

T = TypeVar("T")

_PATH = re.compile(r" - at `([^`]*)`$")
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_DURATION = re.compile(r"^(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+$")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class SpecError(Misconfigured):
    """A document that does not fit its kind. `path` is the place in it, for example `("spec", "ref", "branch")`."""

    def __init__(self, message: str, *, path: tuple[str | int, ...] = (), reason: str | None = None) -> None:
        super().__init__(message, reason=reason)
        self.path = path


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """The base of every struct that users write. Subclasses repeat `frozen=True, kw_only=True`."""


def decode(document: Mapping[str, Any], kind: type[T], hook: Callable[[Any, Any], Any] | None = None) -> T:
    """Read a JSON value as `kind`. Raises `SpecError` with the path of the first misfit.

    `hook(type, value)` reads types of the caller's own; the ValueError that it raises is worded for the user.
    """
    try:
        return msgspec.convert(document, kind, dec_hook=hook)
    except msgspec.ValidationError as error:
        raise _explained(str(error), document, kind) from error


def duration(text: str, *, path: tuple[str | int, ...] = ()) -> timedelta:
    """Read a Go duration such as `1h30m`, `10m0s`, `750ms`. Raises `SpecError` on anything else."""
    if not _DURATION.match(text):
        raise SpecError(f"{text!r} is not a duration; write it as 30s, 5m or 1h30m", path=path)
    try:
        return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text)))
    except OverflowError as error:
        raise SpecError("is longer than any time; write it as 30s, 5m or 1h30m", path=path) from error


def _explained(text: str, document: Any, kind: Any) -> SpecError:
    found = _PATH.search(text)
    path = _steps(found.group(1)) if found else ()
    message = text[: found.start()] if found else text
    unknown = _UNKNOWN.search(message)
    if unknown is None:
        return SpecError(_reworded(message, _at(kind, path)), path=path)
    name = unknown.group(1)
    near = difflib.get_close_matches(name, _fields(_at(kind, path)), n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return SpecError(f"unknown field {name!r}{hint}", path=(*path, name))


def _reworded(message: str, info: Any) -> str:
    """Say which values there are, and instead of a pattern what its type's description says."""
    match info:
        case msgspec.inspect.Metadata(extra_json_schema={"description": str(text)}) if "matching regex" in message:
            return f"is not {text}"
        case msgspec.inspect.EnumType(cls=choices):
            return f"{message}; use {', '.join(str(choice.value) for choice in choices)}"
        case msgspec.inspect.LiteralType(values=choices):
            return f"{message}; use {', '.join(str(choice) for choice in choices)}"
    return message


def _steps(path: str) -> tuple[str | int, ...]:
    """`$.spec.items[0].name` as keys; msgspec writes `[...]` where it cannot tell the index or key."""
    steps = re.findall(r"\.([^.\[\]]+)|\[([^\]]*)\]", path)
    return tuple(key if key else int(index) if index.isdigit() else index for key, index in steps)


_type_info = lru_cache(maxsize=64)(msgspec.inspect.type_info)
"""Costs 10 ms for a large struct, which a thousand broken objects would pay each."""


def _at(kind: Any, path: tuple[str | int, ...]) -> Any:
    """What stands at a path below a type; None where that is not known."""
    info = _type_info(kind)
    for step in path:
        info = _below(info, step)
    return _unwrapped(info)


def _fields(info: Any) -> list[str]:
    """The field names that a struct offers."""
    return [field.encode_name for field in info.fields] if isinstance(info, msgspec.inspect.StructType) else []


def _below(info: Any, step: str | int) -> Any:
    match _unwrapped(info):
        case msgspec.inspect.StructType(fields=fields):
            return next((f.type for f in fields if f.encode_name == step), None)
        case msgspec.inspect.ListType(item_type=item) | msgspec.inspect.VarTupleType(item_type=item):
            return item
        case msgspec.inspect.DictType(value_type=value):
            return value
    return None


def _unwrapped(info: Any) -> Any:
    """`T | None` as `T`."""
    if isinstance(info, msgspec.inspect.UnionType):
        rest = [t for t in info.types if not isinstance(t, msgspec.inspect.NoneType)]
        return rest[0] if len(rest) == 1 else info
    return info

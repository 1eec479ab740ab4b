"""Properties in one form: known names in the ARM spelling, nothing that is null or '', values of the right type. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitopsd.plugin.imports import Note
from gitopsd_plugins.aks import schema
from gitopsd_plugins.aks.resource import InputError, Path, shown
from gitopsd_plugins.aks.schema import Table

_GO = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_FLAGS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Normal:
    """The properties, and what was in them that nobody knows."""

    properties: Mapping[str, Any]
    notes: tuple[Note, ...] = ()


@dataclass(slots=True)
class _Walk:
    place: str
    notes: list[Note] = field(default_factory=list)


def of(properties: Mapping[str, Any], place: str) -> Normal:
    """Raises `InputError` for a value of the wrong type, with its path."""
    walk = _Walk(place)
    found = _value(properties, schema.PROPERTIES, (), walk)
    return Normal(properties=found or {}, notes=tuple(walk.notes))


def _value(value: Any, shape: Any, path: Path, walk: _Walk) -> Any:
    if value is None or value == "":
        return None
    match shape:
        case Table(of=inner):
            return _table(value, inner, path, walk)
        case Mapping():
            return _struct(value, shape, path, walk)
        case schema.FLAG:
            return _flag(value, path, walk)
        case schema.SECONDS:
            return _seconds(value, path, walk)
        case schema.NAMES:
            return _names(value, path, walk)
        case schema.LIST:
            return _listed(value, path, walk)
        case schema.ANY:
            return _mapping(value, path, walk)
    return _text(value, path, walk)


def _struct(value: Any, shape: Mapping[str, Any], path: Path, walk: _Walk) -> Mapping[str, Any] | None:
    known = {_plain(name): name for name in shape}
    found: dict[str, Any] = {}
    for key, below in _mapping(value, path, walk).items():
        name = known.get(_plain(key)) or known.get(f"{_plain(key)}inseconds")
        if name is None:
            if below not in (None, "", [], {}):
                walk.notes.append(
                    Note(text=f"{walk.place}: {shown((*path, key))}: is not known and left out", lost=True)
                )
        elif shape[name] != schema.DROPPED:
            read = _value(below, shape[name], (*path, name), walk)
            if read is not None:
                found[name] = read
    return found or None


def _table(value: Any, inner: Any, path: Path, walk: _Walk) -> Mapping[str, Any]:
    """The user's own keys stay as they are; in `kubectl` output such a table may be a list of named entries."""
    if isinstance(value, list):
        value = {str(_mapping(item, path, walk).get("name", "")): item for item in value}
    pairs = _mapping(value, path, walk).items()
    read = {str(key): _value(below, inner, (*path, str(key)), walk) for key, below in pairs}
    if inner == schema.TEXT:
        return {key: "" if below is None else below for key, below in read.items()}
    return {key: below or {} for key, below in read.items() if value[key] is not None}


def _mapping(value: Any, path: Path, walk: _Walk) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{walk.place}: {shown(path)}: {value!r} is not an object")
    return value


def _listed(value: Any, path: Path, walk: _Walk) -> list[Any] | None:
    if not isinstance(value, list):
        raise InputError(f"{walk.place}: {shown(path)}: is not a list")
    return [_trimmed(item) for item in value] or None


def _trimmed(value: Any) -> Any:
    """Without nulls, names in camel case: the entries of lists have no names of the user's."""
    if isinstance(value, Mapping):
        return {_camel(key): _trimmed(below) for key, below in value.items() if below is not None}
    return value


def _names(value: Any, path: Path, walk: _Walk) -> list[str] | None:
    """Names; the first API version wrote an object for each."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        raise InputError(f"{walk.place}: {shown(path)}: is not a list of names")
    texts = (item.get("kustomizationName", item.get("name")) if isinstance(item, Mapping) else item for item in value)
    cleaned = (str(text or "").strip(" \t\\\"'[]") for text in texts)
    return [text for text in cleaned if text] or None


def _flag(value: Any, path: Path, walk: _Walk) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _FLAGS:
        return _FLAGS[value.lower()]
    raise InputError(f"{walk.place}: {shown(path)}: {value!r} is not a boolean; write true or false")


def _seconds(value: Any, path: Path, walk: _Walk) -> int:
    """Seconds as a number; the object in the cluster has them as a Go duration."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str):
        if value.isdigit():
            return int(value)
        if found := _GO.fullmatch(value):
            hours, minutes, seconds = (int(part or 0) for part in found.groups())
            return hours * 3600 + minutes * 60 + seconds
    raise InputError(f"{walk.place}: {shown(path)}: {value!r} is not a number of seconds")


def _text(value: Any, path: Path, walk: _Walk) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise InputError(f"{walk.place}: {shown(path)}: {value!r} is not a text")


def _plain(name: str) -> str:
    """A name without the marks that tell camelCase from snake_case."""
    return str(name).replace("_", "").replace("-", "").lower()


def _camel(name: str) -> str:
    head, *rest = str(name).split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)

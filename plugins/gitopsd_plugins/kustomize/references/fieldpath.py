"""Field paths of replacements: `spec.containers.[name=web].env.*.value`, found as places that can be written.

A place is the holder (dict or list) and the key or index in it. `[field=pattern]` and `[=pattern]` pick list elements by
a regular expression, `*` picks all, a number one. Dots inside brackets or after a backslash belong to the name.
"""

from __future__ import annotations

import re
from typing import Any

from gitopsd.plugin import Rejected
from gitopsd_plugins.kustomize.objects.identity import text

Place = tuple[Any, Any]
MAX_PATTERN = 2_000


def split(path: str) -> list[str]:
    """The parts of a path."""
    parts: list[str] = []
    for raw in re.split(r"(?<!\\)\.", path.removeprefix(".") if path.count(".") > 1 else path):
        part = raw.replace("\\.", ".")
        if parts and parts[-1].startswith("[") and not parts[-1].endswith("]"):
            parts[-1] = f"{parts[-1]}.{part}"
        else:
            parts.append(part)
    return [p.strip("[]") if p.startswith("[") and "=" not in p else p for p in parts]


def get(value: Any, path: list[str]) -> Any:
    """The value at a path without patterns; None when there is none."""
    for part in (p.strip() for p in path):
        if part == "":
            continue
        if isinstance(value, list):
            value = _element(value, part)
        elif isinstance(value, dict):
            value = value.get(part)
        elif value is not None:
            raise Rejected(f"{part!r} is looked for in a scalar")
        if value is None:
            return None
    return value


def _element(items: list[Any], part: str) -> Any:
    if part == "-":
        return items[-1] if items else None
    if part.isdigit():
        return items[int(part)] if int(part) < len(items) else None
    if not _is_pattern(part):
        raise Rejected(f"{part!r} does not name an element of a list")
    field, _, wanted = part[1:-1].partition("=")
    matches = (
        e for e in items if (isinstance(e, dict) and text(e.get(field)) == wanted if field else text(e) == wanted)
    )
    return next(matches, None)


def places(holder: Any, key: Any, path: list[str], create: Any = None) -> list[Place]:
    """The places at a path below `holder[key]`. `create` is a fresh value for a last part that is missing; None: none."""
    if not path:
        return [(holder, key)]
    part, value = path[0], holder[key]
    if part.isdigit():
        return _at_index(value, int(part), path, create)
    if _is_pattern(part):
        return _matching(value, path, create)
    if part == "*":
        items = _items(value, part)
        return [place for index in range(len(items)) for place in places(items, index, path[1:], create)]
    return _in_field(value, path, create)


def _is_pattern(part: str) -> bool:
    return part.startswith("[") and part.endswith("]")


def _items(value: Any, part: str) -> list[Any]:
    if not isinstance(value, list):
        raise Rejected(f"{part!r} needs a list")
    return value


def _fresh(path: list[str], create: Any) -> Any:
    """The value for a missing part: what the next part needs, or what the path is to end in."""
    if len(path) == 1:
        return None if isinstance(create, str) else type(create)()
    return [] if path[1].isdigit() or _is_pattern(path[1]) else {}


def _in_field(value: Any, path: list[str], create: Any) -> list[Place]:
    name = path[0]
    if value is None:
        return []
    if not isinstance(value, dict):
        raise Rejected(f"{name!r} is looked for in a {'list' if isinstance(value, list) else 'scalar'}")
    if name not in value:
        if create is None:
            return []
        value[name] = _fresh(path, create)
    if len(path) > 1 and not isinstance(value[name], dict | list):
        return []
    return places(value, name, path[1:], create)


def _at_index(value: Any, index: int, path: list[str], create: Any) -> list[Place]:
    items = _items(value, path[0])
    if index == len(items) and create is not None:
        items.append(_fresh(path, create))
    if index >= len(items):
        raise Rejected(f"index {index} specified but only {len(items)} elements found")
    return places(items, index, path[1:], create)


def _matching(value: Any, path: list[str], create: Any) -> list[Place]:
    items = _items(value, path[0])
    field, equals, wanted = path[0][1:-1].partition("=")
    if not equals or len(wanted) > MAX_PATTERN:
        raise Rejected(f"{path[0]!r} is not [field=value]")
    found = _matches(items, field, wanted, path, create)
    if not found and create is not None:
        items.append({field: wanted} if field else wanted)
        found = _matches(items, field, wanted, path, create)
    return found


def _matches(items: list[Any], field: str, wanted: str, path: list[str], create: Any) -> list[Place]:
    try:
        pattern = re.compile(wanted)
    except re.error as error:
        raise Rejected(f"{path[0]!r}: not a regular expression: {error}") from error
    found: list[Place] = []
    for index, item in enumerate(items):
        if not field:
            found.extend([(items, index)] if pattern.search(text(item)) else ())
        elif isinstance(item, dict) and field in item and pattern.search(text(item[field])):
            found.extend(places(items, index, path[1:], create))
    return found

"""The functions of ARM and Bicep that flux templates use and that need no Azure. Names are in lower case. Pure.

A function that is not here, or that gets arguments of the wrong kind, makes an unknown value; only where that ends up in the
result is it an error.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

MOST = 10_000
"""The longest range or repetition."""


def _format(text: str, *values: Any) -> str:
    for index, value in enumerate(values):
        text = text.replace(f"{{{index}}}", printed(value))
    return text.replace("{{", "{").replace("}}", "}")


def printed(value: Any) -> str:
    """A value as a part of a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _concat(*parts: Any) -> Any:
    if parts and all(isinstance(part, list) for part in parts):
        return [item for part in parts for item in part]
    return "".join(printed(part) for part in parts)


def _union(*parts: Any) -> Any:
    if parts and all(isinstance(part, list) for part in parts):
        joined: list[Any] = []
        for item in (item for part in parts for item in part):
            if item not in joined:
                joined.append(item)
        return joined
    whole: dict[str, Any] = {}
    for part in parts:
        whole = _merged(whole, part)
    return whole


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(one)
    for key, value in other.items():
        before = both.get(key)
        both[key] = _merged(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return both


def _resource_id(*parts: Any) -> str:
    """Without the leading ids of subscription and group, which say nothing here."""
    start = next(index for index, part in enumerate(parts) if "/" in str(part))
    kinds, names = str(parts[start]).split("/"), parts[start + 1 :]
    provider, types = kinds[0], kinds[1:]
    return f"/providers/{provider}" + "".join(f"/{kind}/{name}" for kind, name in zip(types, names, strict=True))


def _range(start: int, count: int) -> list[int]:
    if count > MOST:
        raise ValueError(f"a range of more than {MOST}")
    return list(range(start, start + count))


def _contains(whole: Any, part: Any) -> bool:
    if isinstance(whole, Mapping):
        return str(part).lower() in {str(key).lower() for key in whole}
    return part in whole


def _take(value: Any, count: int) -> Any:
    return value[: max(count, 0)]


def _replace(text: str, old: str, new: str) -> str:
    return text.replace(old, new)


def _equals(one: Any, other: Any) -> bool:
    return bool(one == other)


def _items(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value[key]} for key in sorted(value)]


def _split(text: str, marks: str | Sequence[str]) -> list[str]:
    parts = [text]
    for mark in [marks] if isinstance(marks, str) else marks:
        parts = [piece for part in parts for piece in part.split(mark)]
    return parts


def _substring(text: str, start: int, length: int | None = None) -> str:
    return text[start : None if length is None else start + length]


def _create_object(*pairs: Any) -> dict[str, Any]:
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _try_get(value: Any, *keys: Any) -> Any:
    for key in keys:
        if not isinstance(value, Mapping | list) or (isinstance(value, Mapping) and key not in value):
            return None
        value = value[key]
    return value


TABLE: Mapping[str, Callable[..., Any]] = {
    "and": lambda *values: all(values),
    "array": lambda value: value if isinstance(value, list) else [value],
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64tostring": lambda text: base64.b64decode(text).decode(),
    "bool": lambda value: str(value).lower() in {"true", "1"},
    "coalesce": _coalesce,
    "concat": _concat,
    "contains": _contains,
    "createarray": lambda *values: list(values),
    "createobject": _create_object,
    "empty": lambda value: value is None or len(value) == 0,
    "endswith": lambda text, end: text.lower().endswith(end.lower()),
    "equals": _equals,
    "false": lambda: False,
    "first": lambda value: value[0] if value else None,
    "format": _format,
    "greater": lambda one, other: one > other,
    "greaterorequals": lambda one, other: one >= other,
    "int": int,
    "items": _items,
    "join": lambda values, mark: mark.join(printed(value) for value in values),
    "json": json.loads,
    "last": lambda value: value[-1] if value else None,
    "length": len,
    "less": lambda one, other: one < other,
    "lessorequals": lambda one, other: one <= other,
    "not": lambda value: not value,
    "null": lambda: None,
    "or": lambda *values: any(values),
    "padleft": lambda text, width, fill=" ": str(text).rjust(min(width, MOST), fill),
    "range": _range,
    "replace": _replace,
    "resourceid": _resource_id,
    "skip": lambda value, count: value[max(count, 0) :],
    "split": _split,
    "startswith": lambda text, start: text.lower().startswith(start.lower()),
    "string": printed,
    "substring": _substring,
    "take": _take,
    "tolower": lambda text: text.lower(),
    "toupper": lambda text: text.upper(),
    "trim": lambda text: text.strip(),
    "true": lambda: True,
    "tryget": _try_get,
    "union": _union,
}
PARTIAL = frozenset({"array", "coalesce", "createarray", "createobject", "tryget", "union"})
"""These take values that are not known and keep them as parts of what they make."""

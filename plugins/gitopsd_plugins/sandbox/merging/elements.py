"""Names the items of associative lists and sets by path elements, `k:{"name":"c"}` and `v:"x"`.

It knows that a missing key field may have a default in the item's schema (a container port's protocol). Items that
cannot be named are refused with the API server's words; what to do with duplicates is the caller's decision.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from gitopsd_plugins.sandbox.facts.schema import Json, Schema


class Unnamed(Exception):  # noqa: N818 - says what the item is
    """An item of an associative list has none of its keys."""


def of(item: Any, schema: Schema) -> str:
    """The path element of an item. Raises `Unnamed` with the reason."""
    if not schema.keys:
        return f"v:{_text(item)}"
    if not isinstance(item, dict):
        raise Unnamed("associative list with keys may not have non-map elements")
    if len(schema.keys) == 1:
        key = schema.keys[0]
        value = _key(item, key, schema)
        if value is None:
            raise _unnamed(schema)
        return f'k:{{"{key}":{_text(value)}}}'
    return _composite(item, schema)


def _composite(item: Json, schema: Schema) -> str:
    found = {key: _key(item, key, schema) for key in sorted(schema.keys)}
    found = {key: value for key, value in found.items() if value is not None}
    if not found:
        raise _unnamed(schema)
    return f"k:{_text(found)}"


def _unnamed(schema: Schema) -> Unnamed:
    listed = " ".join(map(_text, schema.keys))
    return Unnamed(
        f"associative list with keys has an element that omits all key fields [{listed}] (and doesn't have default values for any key fields)"
    )


def _key(item: Json, key: str, schema: Schema) -> Any:
    value = item.get(key)
    if value is not None or schema.element is None:
        return value
    element = schema.element
    if key in element.defaults:
        return element.defaults[key]
    # Go's types always have some fields: a container without a name has the empty one
    return element.zeros.get(key)


def _text(value: Any) -> str:
    return _quoted(value) if isinstance(value, str) else msgspec.json.encode(value).decode()


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()

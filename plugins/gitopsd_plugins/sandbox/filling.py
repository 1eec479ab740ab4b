"""Fills in what is missing: defaults of schemas, and the small steps of which the defaults of kinds are made.

Nothing is changed in place; parts that need nothing keep their identity, so that applying the same again costs little.
It knows schemas and no kinds (`defaults.py`, `pod_defaults.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from gitopsd_plugins.sandbox.schema import Json, Schema


def fill(value: Any, schema: Schema) -> Any:
    """`value` with the defaults of its schema, everywhere below."""
    if isinstance(value, list):
        if schema.shape != "list" or schema.element is None or schema.element.shape in ("scalar", "any"):
            return value
        items = [fill(item, schema.element) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    if not isinstance(value, dict) or schema.shape != "map":
        return value
    result = value
    for name, default in schema.defaults.items():
        if name not in result:
            result = {**result, name: _copy(default)}  # a null that is allowed counts as a value
    for name, item in result.items():
        if isinstance(item, dict | list):
            below = schema.fields.get(name) or schema.element
            if below is not None and (new := fill(item, below)) is not item:
                result = {**result, name: new}
    return result


def zeroed(value: Any, schema: Schema) -> Any:
    """`value` with what Go writes for fields that nobody set, everywhere below."""
    if isinstance(value, list):
        if schema.element is None or schema.element.shape in ("scalar", "any"):
            return value
        items = [zeroed(item, schema.element) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    if not isinstance(value, dict) or schema.shape != "map":
        return value
    missing = {name: zero for name, zero in schema.zeros.items() if name not in value}
    result = {**value, **missing} if missing else value
    for name, item in value.items():
        if isinstance(item, dict | list):
            below = schema.fields.get(name) or schema.element
            if below is not None and (new := zeroed(item, below)) is not item:
                result = {**result, name: new}
    return result


def hollowed(value: Any, schema: Schema) -> Any:
    """`value` as it comes back from storage, which does not tell an empty list that is always written from none."""
    if isinstance(value, list):
        if schema.element is None or schema.element.shape in ("scalar", "any"):
            return value
        items = [hollowed(item, schema.element) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    if not isinstance(value, dict) or schema.shape != "map":
        return value
    result = value
    for name, item in value.items():
        if isinstance(item, dict | list):
            below = schema.fields.get(name) or schema.element
            is_nothing = not item and name in schema.zeros
            new = None if is_nothing else hollowed(item, below) if below is not None else item
            if new is not item:
                result = {**result, name: new}
    return result


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copy(item) for name, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def with_missing(value: Json, **defaults: Any) -> Json:
    """`value` with those of `defaults` that it lacks."""
    missing = {name: default for name, default in defaults.items() if name not in value}
    return {**value, **missing} if missing else value


def changed(value: Json, name: str, change: Callable[[Any], Any]) -> Json:
    """`value` with one field changed, where it has it."""
    if name not in value:
        return value
    new = change(value[name])
    return value if new is value[name] else {**value, name: new}


def each(change: Callable[[Json], Json]) -> Callable[[list[Json]], list[Json]]:
    """The change of a list that changes each item."""

    def change_all(items: list[Json]) -> list[Json]:
        result = [change(item) for item in items]
        return items if all(new is old for new, old in zip(result, items, strict=True)) else result

    return change_all


@lru_cache(maxsize=256)
def skeleton(schema: Schema) -> Json:
    """An object of this type with nothing in it but what Go always writes: plain structs and zeros.

    Fields are compared with it to see what a create adds. Not to be changed.
    """
    return _bare(schema)


def _bare(schema: Schema) -> Json:
    result: Json = dict(schema.zeros)
    for name, below in schema.fields.items():
        if schema.defaults.get(name) == {}:
            result[name] = _bare(below)
    return result

"""What differs between two versions of an object, as two sets of fields: the basis of conflicts and of ownership.

Interior nodes that appear or vanish are members too, so that an update owns the map that it created (`"."` in
managedFields). Parts that both versions share by identity are skipped. It knows no managers.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from gitopsd_plugins.sandbox.facts.schema import ANY, Json, Schema
from gitopsd_plugins.sandbox.merging import elements
from gitopsd_plugins.sandbox.merging.fields import MEMBER, FieldSet, of_key

_MISSING: Any = object()
_CONTAINERS = (dict, list)


class Difference(Struct, frozen=True):
    """Fields that the new version has and the old one has not, or with another value; and those that only the old one has."""

    changed: FieldSet
    removed: FieldSet


def compare(old: Json, new: Json, schema: Schema) -> Difference:
    """The difference between two objects of one type. Raises `elements.Unnamed` where an item of a list cannot be told from others."""
    changed: FieldSet = {}
    removed: FieldSet = {}
    _maps(old, new, schema, changed, removed)
    return Difference(changed, removed)


def _maps(old: Json, new: Json, schema: Schema, changed: FieldSet, removed: FieldSet) -> None:
    """Enter what differs below two maps."""
    for name, value in new.items():
        before = old.get(name, _MISSING)
        if before is value:
            continue
        if not isinstance(value, _CONTAINERS) and value is not None:
            if before is _MISSING or not _same(before, value):
                changed[of_key(name)] = MEMBER
        elif before is _MISSING:
            changed[of_key(name)] = _whole(value, schema.child(name) or ANY)
        else:
            _both(of_key(name), before, value, schema.child(name) or ANY, changed, removed)
    if not old.keys() <= new.keys():
        for name, value in old.items():
            if name not in new:
                removed[of_key(name)] = _whole(value, schema.child(name) or ANY)


def _both(element: str, old: Any, new: Any, schema: Schema, changed: FieldSet, removed: FieldSet) -> None:
    """Enter what differs at and below an element that both versions have."""
    if old is new:
        return
    if _is_leaf(old, new, schema):
        if not _same(old, new):
            changed[element] = MEMBER
        return
    more: FieldSet = {}
    less: FieldSet = {}
    if schema.shape == "list":
        _lists(old or [], new or [], schema, more, less)
    else:
        _maps(old or {}, new or {}, schema, more, less)
    if more:
        changed[element] = more
    if less:
        removed[element] = less


def _is_leaf(old: Any, new: Any, schema: Schema) -> bool:
    """Whether two values differ as a whole or not at all: scalars, what is atomic or of the wrong type, and two empty ones."""
    if schema.atomic or schema.shape == "scalar" or not (old or new):
        return True
    kind = list if schema.shape == "list" else dict
    return not ((old is None or isinstance(old, kind)) and (new is None or isinstance(new, kind)))


def _same(old: Any, new: Any) -> bool:
    """Equality of leaves as JSON has it: numbers by value, but true is not 1."""
    if isinstance(old, bool) is not isinstance(new, bool):
        return False
    return bool(old == new)


def _lists(old: list[Any], new: list[Any], schema: Schema, changed: FieldSet, removed: FieldSet) -> None:
    """Items that one side has twice count as one leaf, which is added, removed or modified as a whole."""
    held, wanted = _items(old, schema), _items(new, schema)
    element = schema.element or ANY
    for name in {**wanted, **held}:
        before, after = held.get(name, ()), wanted.get(name, ())
        if len(before) == len(after) == 1:
            _both(name, before[0], after[0], element, changed, removed)
        elif len(before) > 1 and len(after) > 1:
            if before != after:
                changed[name] = MEMBER
        else:
            if after:
                changed[name] = _every(after, element)
            if before:
                removed[name] = _every(before, element)


def _items(items: list[Any], schema: Schema) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for item in items:
        found.setdefault(elements.of(item, schema), []).append(item)
    return found


def _every(items: list[Any], schema: Schema) -> FieldSet:
    """The node of all items of one name."""
    return _whole(items[0], schema) if len(items) < 2 else MEMBER


def _whole(value: Any, schema: Schema) -> FieldSet:
    """The node of a field that only one version has, with all fields below it."""
    if not value or schema.atomic or schema.shape == "scalar":
        return MEMBER
    node: FieldSet = {".": MEMBER}
    if schema.shape == "list":
        if not isinstance(value, list):
            return MEMBER
        element = schema.element or ANY
        for name, each in _items(value, schema).items():
            node[name] = _every(each, element)
        return node
    if not isinstance(value, dict):
        return MEMBER
    for name, item in value.items():
        below = _whole(item, schema.child(name) or ANY) if isinstance(item, _CONTAINERS) else MEMBER
        node[of_key(name)] = below
    return node

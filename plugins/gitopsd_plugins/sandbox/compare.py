"""What differs between two versions of an object, as three sets of fields: the basis of conflicts and of ownership.

Interior nodes that appear or vanish are members too, so that an update owns the map that it created (`"."` in
managedFields). Parts that both versions share by identity are skipped. It knows no managers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gitopsd_plugins.sandbox import elements
from gitopsd_plugins.sandbox.fields import MEMBER, FieldSet, marked
from gitopsd_plugins.sandbox.schema import ANY, Json, Schema

_MISSING: Any = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """Fields that only the new version has, that both have with other values, that only the old version has."""

    added: FieldSet = field(default_factory=dict)
    modified: FieldSet = field(default_factory=dict)
    removed: FieldSet = field(default_factory=dict)


def compare(old: Json, new: Json, schema: Schema) -> Difference:
    """The difference between two objects of one type. Raises `elements.Unnamed` where an item of a list cannot be told from others."""
    return Difference(*_map(old, new, schema))


_Sets = tuple[FieldSet, FieldSet, FieldSet]
_NONE: _Sets = ({}, {}, {})


def _node(old: Any, new: Any, schema: Schema) -> _Sets | None:
    """The three sets below a field; None when nothing differs. An empty set in a tuple is a member only at a leaf."""
    if old is new:
        return None
    if schema.atomic or schema.shape == "scalar":
        return _NONE
    kind: type = list if schema.shape == "list" else dict
    before, after = old is not _MISSING and old is not None, new is not _MISSING and new is not None
    if (before and not isinstance(old, kind)) or (after and not isinstance(new, kind)):
        return _NONE
    if not ((before and old) or (after and new)):
        return _NONE  # two empty ones are leaves
    if kind is dict:
        return _map(old if before else {}, new if after else {}, schema)
    return _list(old if before else [], new if after else [], schema)


def _same(old: Any, new: Any) -> bool:
    """Equality of leaves as JSON has it: numbers by value, but true is not 1."""
    if isinstance(old, bool) is not isinstance(new, bool):
        return False
    return bool(old == new)


def _map(old: Json, new: Json, schema: Schema) -> _Sets:
    sets: _Sets = ({}, {}, {})
    for name, value in new.items():
        before = old.get(name, _MISSING)
        if before is _MISSING and not isinstance(value, dict | list):
            sets[0][f"f:{name}"] = MEMBER
        elif before is not value:
            _put(sets, f"f:{name}", before, value, schema.child(name) or ANY)
    for name, value in old.items():
        if name not in new:
            _put(sets, f"f:{name}", value, _MISSING, schema.child(name) or ANY)
    return sets


def _list(old: list[Any], new: list[Any], schema: Schema) -> _Sets:
    """Items that one side has twice count as one leaf, which is added, removed or modified as a whole."""
    sets: _Sets = ({}, {}, {})
    held, wanted = _items(old, schema), _items(new, schema)
    element = schema.element or ANY
    for name in {**wanted, **held}:
        before, after = held.get(name, ()), wanted.get(name, ())
        if len(before) < 2 and len(after) < 2:
            _put(sets, name, before[0] if before else _MISSING, after[0] if after else _MISSING, element)
        elif len(before) < 2:
            if before:
                _put(sets, name, before[0], _MISSING, element)
            sets[0][name] = MEMBER
        elif len(after) < 2:
            if after:
                _put(sets, name, _MISSING, after[0], element)
            sets[2][name] = MEMBER
        elif before != after:
            sets[1][name] = MEMBER
    return sets


def _items(items: list[Any], schema: Schema) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for item in items:
        found.setdefault(elements.of(item, schema), []).append(item)
    return found


def _put(sets: _Sets, element: str, old: Any, new: Any, schema: Schema) -> None:
    """Enter what differs at and below one element into the sets."""
    added, modified, removed = sets
    if old is _MISSING:
        added[element] = marked(_fields(new, schema))
        return
    below = _node(old, new, schema)
    if below is None:
        return
    if new is _MISSING:
        removed[element] = marked(below[2])
    elif below is _NONE:
        if not _same(old, new):
            modified[element] = MEMBER
    else:
        for target, node in zip(sets, below, strict=True):
            if node:
                target[element] = node


def _fields(value: Any, schema: Schema) -> FieldSet:
    """All fields below one that only the new version has: what `_node` adds where there was nothing, at less cost."""
    if not value or schema.atomic or schema.shape == "scalar":
        return MEMBER
    if schema.shape == "list":
        if not isinstance(value, list):
            return MEMBER
        element = schema.element or ANY
        found = _items(value, schema)
        return {name: marked(_fields(each[0], element)) if len(each) < 2 else MEMBER for name, each in found.items()}
    if not isinstance(value, dict):
        return MEMBER
    return {
        f"f:{name}": marked(_fields(item, schema.child(name) or ANY)) if isinstance(item, dict | list) else MEMBER
        for name, item in value.items()
    }

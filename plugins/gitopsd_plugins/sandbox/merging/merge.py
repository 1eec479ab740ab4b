"""Puts a manifest onto a live object, and takes fields out of an object, along the schema.

`merge` is the first half of server-side apply: stated fields win, granular maps and associative lists are merged, atomic
ones are replaced. `remove` takes out the fields of a set. Neither changes its arguments; unchanged parts are shared with
the result, so that comparing them later costs nothing. Who owns what is decided elsewhere (`apply.py`).
"""

from __future__ import annotations

from typing import Any

from gitopsd_plugins.sandbox.facts.schema import ANY, Json, Schema
from gitopsd_plugins.sandbox.merging import elements
from gitopsd_plugins.sandbox.merging.fields import FieldSet, member, of_key

_CONTAINERS = (dict, list)


def merge(live: Any, stated: Any, schema: Schema) -> Any:
    """`live` with every field of `stated`. A stated null leaves maps and lists as they are and takes the place of a leaf."""
    if isinstance(stated, dict):
        if not isinstance(live, dict) or (schema.atomic and schema.shape == "map"):
            return stated
        return _merge_map(live, stated, schema)
    if isinstance(stated, list) and isinstance(live, list) and schema.shape == "list" and not schema.atomic:
        return _merge_list(live, stated, schema)
    return stated


def _merge_map(live: Json, stated: Json, schema: Schema) -> Json:
    result = live
    for name, value in stated.items():
        held = live.get(name)
        if value is None and isinstance(held, _CONTAINERS):
            continue
        new = merge(held, value, schema.child(name) or ANY) if held is not None and value is not None else value
        if name not in live or not _is_kept(held, new):
            result = dict(live) if result is live else result
            result[name] = new
    return result


def _merge_list(live: list[Any], stated: list[Any], schema: Schema) -> list[Any]:
    """Stated items in their order; items that only `live` has keep their place relative to their live neighbours."""
    wanted = {elements.of(item, schema): item for item in stated}
    held = _by_element(live, schema)
    inner = schema.element or ANY
    merged = {name: merge(held[name], item, inner) if name in held else item for name, item in wanted.items()}
    result: list[Any] = []
    pending = list(wanted)
    done: set[str] = set()
    shared = [name for name in wanted if name in held]
    for name, item in _named_items(live, schema):
        if name not in wanted:
            result.append(item)
        elif name not in done and shared and name == shared[0]:
            while shared and name == shared[0]:
                position = pending.index(name)
                done.update(pending[: position + 1])
                result.extend(merged[each] for each in pending[: position + 1])
                pending = pending[position + 1 :]
                shared.pop(0)
    result.extend(merged[each] for each in pending)
    return live if len(result) == len(live) and all(map(_is_kept, live, result)) else result


def _is_kept(held: Any, new: Any) -> bool:
    """Whether two values are one, or equal leaves."""
    return new is held or (type(new) is type(held) and not isinstance(new, _CONTAINERS) and bool(new == held))


def _named_items(items: list[Any], schema: Schema) -> list[tuple[str, Any]]:
    """Items with their path elements. Live items without a key are kept under a name that nothing else has."""
    named = []
    for index, item in enumerate(items):
        try:
            named.append((elements.of(item, schema), item))
        except elements.Unnamed:
            named.append((f"i:{index}", item))
    return named


def _by_element(items: list[Any], schema: Schema) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, item in _named_items(items, schema):
        found.setdefault(name, item)
    return found


def remove(value: Any, fields: FieldSet, schema: Schema) -> Any:
    """`value` without the members of `fields`, each with all below it. A map or list that becomes empty stays."""
    if not fields:
        return value
    if isinstance(value, dict) and not schema.atomic:
        return _remove_from_map(value, fields, schema)
    if isinstance(value, list) and schema.shape == "list" and not schema.atomic:
        return _remove_from_list(value, fields, schema)
    return value


def _remove_from_map(value: Json, fields: FieldSet, schema: Schema) -> Json:
    result: Json = {}
    for name, item in value.items():
        node = fields.get(of_key(name))
        if member(node):
            continue
        result[name] = remove(item, node, schema.child(name) or ANY) if node else item
    return result


def _remove_from_list(value: list[Any], fields: FieldSet, schema: Schema) -> list[Any]:
    result = []
    for name, item in _named_items(value, schema):
        node = fields.get(name)
        if not member(node):
            result.append(remove(item, node, schema.element or ANY) if node else item)
    return result

"""Strategic merge patches: object and patch in, object out.

They follow the schema's merge keys and the directives `$patch`, `$retainKeys`, `$deleteFromPrimitiveList/` and
`$setElementOrder/`. Nothing is changed in place. It knows no owners and no storage.
"""

from __future__ import annotations

from typing import Any

from gitopsd_plugins.sandbox.facts.schema import ANY, Json, Schema
from gitopsd_plugins.sandbox.merging.patch import Malformed

_DROP: Any = object()


def merge(value: Json, patch: Json, schema: Schema) -> Json:
    """`value` after a strategic merge patch. Raises `Malformed`."""
    directive = patch.get("$patch")
    if directive == "replace":
        return {name: item for name, item in patch.items() if name != "$patch"}
    if directive == "delete":
        return {}
    result = dict(value)
    if isinstance(kept := patch.get("$retainKeys"), list):
        result = {name: item for name, item in result.items() if name in kept}
    for name, item in patch.items():
        if name.startswith("$"):
            _direct(result, name, item, patch, schema)
        elif item is None:
            result.pop(name, None)
        else:
            order = patch.get(f"$setElementOrder/{name}")
            new = _merged(result.get(name), item, schema.child(name) or ANY, order)
            result.pop(name, None) if new is _DROP else result.__setitem__(name, new)
    return result


def _direct(result: Json, name: str, item: Any, patch: Json, schema: Schema) -> None:
    """Carry out the directives that name a field."""
    directive, _, field = name.partition("/")
    if directive not in ("$setElementOrder", "$retainKeys", "$patch", "$deleteFromPrimitiveList"):
        raise Malformed(f"unknown directive {directive}")
    held = result.get(field)
    if not isinstance(held, list):
        return
    if directive == "$deleteFromPrimitiveList":
        result[field] = [each for each in held if each not in item]
    elif directive == "$setElementOrder" and field not in patch and isinstance(item, list):
        result[field] = _ordered(held, item, held, (schema.child(field) or ANY).merge_key)


def _merged(held: Any, item: Any, schema: Schema, order: Any) -> Any:
    """The new value of a field that the patch states; `_DROP` where it says to leave it out."""
    if isinstance(item, dict) and isinstance(held, dict):
        return item if schema.strategy == "replace" else merge(held, item, schema)
    if isinstance(item, list) and isinstance(held, list):
        if "merge" not in schema.strategy:
            return item
        keyed = any(isinstance(each, dict) for each in (*held, *item))
        merged = _items(held, item, schema) if keyed else [*held, *(each for each in item if each not in held)]
        return _ordered(merged, order if isinstance(order, list) else item, held, schema.merge_key)
    return _plain(item)


def _plain(item: Any) -> Any:
    """A value that has nothing to be merged with: without nulls in its maps and without what directives mark."""
    if isinstance(item, dict):
        if "$patch" in item:
            return _DROP
        found = {name: _plain(each) for name, each in item.items() if each is not None}
        return {name: each for name, each in found.items() if each is not _DROP}
    if isinstance(item, list):
        return [each for each in map(_plain, item) if each is not _DROP]
    return item


def _items(held: list[Any], patch: list[Any], schema: Schema) -> list[Any]:
    """The items of a list that is merged by a key."""
    key = schema.merge_key
    for item in patch:
        if not isinstance(item, dict) or (key not in item and item.get("$patch") != "replace"):
            raise Malformed(f"map: {go(item)} does not contain declared merge key: {key}")
    stated = [item for item in patch if "$patch" not in item]
    if any(item.get("$patch") == "replace" for item in patch):
        return stated
    doomed = [item[key] for item in patch if item.get("$patch") == "delete"]
    result = [each for each in held if each.get(key) not in doomed]
    for item in stated:
        index = next((i for i, each in enumerate(result) if each.get(key) == item[key]), None)
        if index is None:
            result.append(item)
        else:
            result[index] = merge(result[index], item, schema.element or ANY)
    return result


def _ordered(items: list[Any], order: list[Any], held: list[Any], key: str) -> list[Any]:
    """The items in the order of the patch; those that it does not name go before the ones that they preceded before."""

    def name(item: Any) -> str:
        return repr(item.get(key) if key and isinstance(item, dict) else item)

    places = {name(each): index for index, each in enumerate(order)}
    before = {name(each): index for index, each in enumerate(held)}
    named = sorted((item for item in items if name(item) in places), key=lambda item: places[name(item)])
    others = [item for item in items if name(item) not in places]
    result: list[Any] = []
    for item in named:
        while others and name(item) in before and before.get(name(others[0]), len(held)) < before[name(item)]:
            result.append(others.pop(0))
        result.append(item)
    return [*result, *others]


def go(value: Any) -> str:
    """A value as Go prints it, which messages about patches quote."""
    if isinstance(value, list):
        return "[" + " ".join(go(item) for item in value) + "]"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{name}:{go(item)}" for name, item in sorted(value.items())) + "]"
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)

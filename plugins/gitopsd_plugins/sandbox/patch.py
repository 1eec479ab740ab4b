"""JSON patch (RFC 6902), JSON merge patch (RFC 7396) and strategic merge patch: object and patch in, object out.

The strategic one follows the schema's merge keys and the directives `$patch`, `$retainKeys`, `$deleteFromPrimitiveList/`
and `$setElementOrder/`. Nothing is changed in place. It knows no owners and no storage.
"""

from __future__ import annotations

from typing import Any

from gitopsd_plugins.sandbox.schema import ANY, Json, Schema


class Failed(Exception):  # noqa: N818 - says what the patch did
    """The patch is well formed but cannot be carried out on this object."""


class Malformed(Exception):  # noqa: N818 - says what the patch is
    """The patch is not of its format; the message says why."""


# RFC 7396


def merge(value: Any, patch: Any) -> Any:
    """`value` after a JSON merge patch."""
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for name, item in patch.items():
        if item is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), item)
    return result


# RFC 6902

OPERATIONS_LIMIT = 10_000


def json_patch(value: Json, operations: Any) -> Json:
    """`value` after a JSON patch. Raises `Malformed` or `Failed`; a failed patch has no effect at all."""
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise Malformed(
            f"json: cannot unmarshal {'object' if isinstance(operations, dict) else 'value'} into Go value of type []handlers.jsonPatchOp"
        )
    if len(operations) > OPERATIONS_LIMIT:
        raise Malformed(f"The allowed maximum operations in a JSON patch is {OPERATIONS_LIMIT}, got {len(operations)}")
    result: Any = value
    for operation in operations:
        result = _operate(result, operation)
    if not isinstance(result, dict):
        raise Failed("the patch does not leave an object")
    return result


def _operate(value: Any, operation: Json) -> Any:
    path = _pointer(operation.get("path"))
    match operation.get("op"):
        case "add":
            return _add(value, path, _operand(operation))
        case "remove":
            return _remove(value, path)
        case "replace":
            return _replace(value, path, _operand(operation))
        case "test":
            if not _equal(_get(value, path, missing=None), operation.get("value")):
                raise Failed("testing value failed")
            return value
        case "copy":
            return _add(value, path, _get(value, _pointer(operation.get("from"))))
        case "move":
            source = _pointer(operation.get("from"))
            return _add(_remove(value, source), path, _get(value, source))
    raise Failed("unexpected kind")


def _replace(value: Any, path: list[str], item: Any) -> Any:
    """As the API server's library does it: replacing a key that a map does not have adds it."""
    if not path:
        return item
    parent = _get(value, path[:-1])
    return _add(_remove(value, path) if isinstance(parent, list) else value, path, item)


def _operand(operation: Json) -> Any:
    if "value" not in operation:
        raise Failed("the operation has no value")
    return operation["value"]


def _pointer(text: Any) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise Failed("the operation has no valid path")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _equal(left: Any, right: Any) -> bool:
    return isinstance(left, bool) is isinstance(right, bool) and bool(left == right)


_RAISE = object()


def _get(value: Any, path: list[str], missing: Any = _RAISE) -> Any:
    for part in path:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif missing is _RAISE:
            raise Failed("the path does not exist")
        else:
            return missing
    return value


def _add(value: Any, path: list[str], item: Any) -> Any:
    if not path:
        return item
    head, rest = path[0], path[1:]
    if isinstance(value, dict):
        if rest and head not in value:
            raise Failed("the path does not exist")
        return {**value, head: _add(value[head], rest, item) if rest else item}
    if isinstance(value, list):
        index = len(value) if head == "-" and not rest else _index(head, len(value) - bool(rest))
        return (
            [*value[:index], _add(value[index], rest, item), *value[index + 1 :]]
            if rest
            else [*value[:index], item, *value[index:]]
        )
    raise Failed("the path does not exist")


def _index(text: str, highest: int) -> int:
    if not text.isdigit() or int(text) > highest:
        raise Failed("the index is out of bounds")
    return int(text)


def _remove(value: Any, path: list[str]) -> Any:
    if not path:
        raise Failed("the whole object cannot be removed")
    head, rest = path[0], path[1:]
    if isinstance(value, dict) and head in value:
        if rest:
            return {**value, head: _remove(value[head], rest)}
        return {name: item for name, item in value.items() if name != head}
    if isinstance(value, list):
        index = _index(head, len(value) - 1)
        return [*value[:index], *([_remove(value[index], rest)] if rest else []), *value[index + 1 :]]
    raise Failed("the path does not exist")


# strategic merge


def strategic(value: Json, patch: Json, schema: Schema) -> Json:
    """`value` after a strategic merge patch. Raises `Malformed`."""
    return _strategic_map(value, patch, schema)


def _strategic_map(value: Json, patch: Json, schema: Schema) -> Json:
    directive = patch.get("$patch")
    if directive == "replace":
        return {name: item for name, item in patch.items() if name != "$patch"}
    if directive == "delete":
        return {}
    result = dict(value)
    kept = patch.get("$retainKeys")
    if isinstance(kept, list):
        result = {name: item for name, item in result.items() if name in kept}
    for name, item in patch.items():
        if name.startswith("$"):
            _directive(result, name, item)
        elif item is None:
            result.pop(name, None)
        else:
            result[name] = _strategic(
                result.get(name), item, schema.child(name) or ANY, patch.get(f"$setElementOrder/{name}")
            )
    return result


def _directive(result: Json, name: str, item: Any) -> None:
    directive, _, field = name.partition("/")
    if directive == "$deleteFromPrimitiveList" and isinstance(result.get(field), list):
        result[field] = [each for each in result[field] if each not in item]
    elif directive not in ("$setElementOrder", "$retainKeys", "$patch", "$deleteFromPrimitiveList"):
        raise Malformed(f"unknown directive {directive}")


def _strategic(value: Any, item: Any, schema: Schema, order: Any) -> Any:
    if isinstance(item, dict):
        return _strategic_map(value if isinstance(value, dict) else {}, item, schema)
    if isinstance(item, list) and "merge" in schema.strategy:
        held = value if isinstance(value, list) else []
        merged = (
            _strategic_list(held, item, schema)
            if schema.merge_key
            else [*held, *(each for each in item if each not in held)]
        )
        return _ordered(merged, order if isinstance(order, list) else item, held, schema.merge_key)
    return item


def _strategic_list(value: list[Any], patch: list[Any], schema: Schema) -> list[Any]:
    key = schema.merge_key
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if "$patch" not in item]
    result = list(value)
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise Malformed(f"map: {item} does not contain declared merge key: {key}")
        index = next(
            (i for i, each in enumerate(result) if isinstance(each, dict) and each.get(key) == item[key]), None
        )
        if item.get("$patch") == "delete":
            result = [each for each in result if each.get(key) != item[key]]
        elif index is None:
            result.append(_strategic_map({}, item, schema.element or ANY))
        else:
            result[index] = _strategic_map(result[index], item, schema.element or ANY)
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

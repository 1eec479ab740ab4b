"""JSON patch (RFC 6902) and JSON merge patch (RFC 7396): object and patch in, object out.

Nothing is changed in place. It knows no schemas, no owners and no storage; strategic merge patches are in `strategic.py`.
"""

from __future__ import annotations

from typing import Any

from gitopsd_plugins.sandbox.facts.decoding import json_type
from gitopsd_plugins.sandbox.facts.schema import Json


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
    if operations is None:
        operations = []
    if not isinstance(operations, list):
        raise _mistyped(operations, "Go value of type []handlers.jsonPatchOp")
    for each in operations:
        _check_types(each)
    if len(operations) > OPERATIONS_LIMIT:
        raise Malformed(f"The allowed maximum operations in a JSON patch is {OPERATIONS_LIMIT}, got {len(operations)}")
    result: Any = value
    for operation in operations:
        result = _operate(result, operation)
    if not isinstance(result, dict):
        raise Failed("the patch does not leave an object")
    return result


def _check_types(operation: Any) -> None:
    if not isinstance(operation, dict):
        raise _mistyped(operation, "Go value of type handlers.jsonPatchOp")
    for name in ("op", "from", "path"):
        if not isinstance(operation.get(name), str | None):
            raise _mistyped(operation[name], f"Go struct field jsonPatchOp.{name} of type string")


def _mistyped(value: Any, wanted: str) -> Malformed:
    return Malformed(f"json: cannot unmarshal {json_type(value)} into {wanted}")


def _operate(value: Any, operation: Json) -> Any:
    path = _pointer(operation.get("path"))
    match operation.get("op"):
        case "add":
            return _add(value, path, operation.get("value"))
        case "remove":
            return _remove(value, path)
        case "replace":
            return _replace(value, path, operation.get("value"))
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

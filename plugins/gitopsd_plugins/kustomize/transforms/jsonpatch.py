"""JSON patches (RFC 6902) on plain values, with kustomize's additions: YAML texts, `-` and negative indices, new keys."""

from __future__ import annotations

import copy
from typing import Any

from gitopsd.plugin import Rejected

Operation = dict[str, Any]
MAX_LENGTH = 1_000_000
_KINDS = ("add", "replace", "test", "remove", "move", "copy")
_MISSING: Any = object()


def operations(value: Any, source: str) -> list[Operation]:
    """Check that a value is a list of operations; what they say is looked at when they meet an object. Raises `Rejected`."""
    if not isinstance(value, list):
        raise Rejected(f"{source}: a JSON patch is a list of operations")
    for index, operation in enumerate(value):
        if not isinstance(operation, dict | None):
            raise Rejected(f"{source}: operation {index} is no map")
    return [operation or {} for operation in value]


def apply(body: Any, patch: list[Operation]) -> Any:
    """The value after all operations; it is changed in place. Raises `Rejected` naming operation and path."""
    for index, operation in enumerate(patch):
        op, path = operation.get("op"), operation.get("path")
        if not isinstance(path, str):
            raise Rejected(f"operation {index} has no path")
        if op not in _KINDS:
            raise Rejected(f"operation {index}: unexpected kind {op!r}")
        body = _applied(body, operation)
    return body


def _applied(body: Any, operation: Operation) -> Any:
    op, path = operation["op"], operation["path"]
    match op:
        case "add" | "replace":
            return _set(body, path, copy.deepcopy(operation.get("value")), op)
        case "remove":
            _remove(body, path, op)
        case "move":
            return _set(body, path, _remove(body, _source(operation), op), op)
        case "copy":
            return _set(body, path, copy.deepcopy(_get(body, _source(operation), op, lenient=True)), op)
        case "test":
            found = _get(body, path, op, default=None)
            if not _equal(found, operation.get("value")):
                raise Rejected(f"JSON patch: testing value {path} failed")
    return body


def _source(operation: Operation) -> str:
    source = operation.get("from")
    if not isinstance(source, str):
        raise Rejected(f"JSON patch: {operation['op']} to {operation['path']} needs `from`")
    return source


def _steps(path: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _get(body: Any, path: str, op: str, *, default: Any = _MISSING, lenient: bool = False) -> Any:
    """The value at a path, or `default`. `lenient`: a key that a map does not have is null, as kustomize copies it."""
    found = body
    steps = _steps(path)
    for at, step in enumerate(steps, start=1):
        holder, found = found, _child(found, step)
        if found is _MISSING:
            if lenient and at == len(steps) and isinstance(holder, dict):
                return None
            if default is not _MISSING:
                return default
            raise _does_not_apply(op, path)
    return found


def _child(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step, _MISSING)
    if isinstance(value, list):
        index = _index(step, len(value))
        return _MISSING if index is None or index >= len(value) else value[index]
    return _MISSING


def _index(step: str, length: int) -> int | None:
    """The index that a step names; negative ones count from `length`. None for anything else."""
    digits = step.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 9:
        return None
    index = int(step)
    index = index + length if step.startswith("-") else index
    return index if index >= 0 else None


def _set(body: Any, path: str, value: Any, op: str) -> Any:
    steps = _steps(path)
    if not steps:
        return value
    holder, last = _holder(body, path, op), steps[-1]
    if isinstance(holder, dict):
        holder[last] = value  # kustomize lets `replace` add a key, too, where the RFC refuses it
    elif op == "replace":
        index = _index(last, len(holder))
        if index is None or index >= len(holder):
            raise _does_not_apply(op, path)
        holder[index] = value
    else:
        index = len(holder) if last == "-" else _index(last, len(holder) + 1)
        if index is None or index > len(holder) or len(holder) >= MAX_LENGTH:
            raise _does_not_apply(op, path)
        holder.insert(index, value)
    return body


def _remove(body: Any, path: str, op: str) -> Any:
    holder, last = _holder(body, path, op), (_steps(path) or [""])[-1]
    if isinstance(holder, dict):
        if last not in holder:
            raise _does_not_apply(op, path)
        return holder.pop(last)
    index = _index(last, len(holder))
    if index is None or index >= len(holder):
        raise _does_not_apply(op, path)
    return holder.pop(index)


def _holder(body: Any, path: str, op: str) -> Any:
    holder = body
    for step in _steps(path)[:-1]:
        holder = _child(holder, step)
    if not isinstance(holder, dict | list):
        raise _does_not_apply(op, path)
    return holder


def _does_not_apply(op: str, path: str) -> Rejected:
    return Rejected(f"JSON patch: {op} operation does not apply: the object has no {path}")


def _equal(one: Any, other: Any) -> bool:
    """Equal as JSON: true is not 1."""
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)

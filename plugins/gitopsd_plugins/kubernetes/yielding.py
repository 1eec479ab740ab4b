"""Leaving fields to those who set them: what is sent of an object that exists, where others may have a say in it. Pure.

A field that is left to others is not sent where somebody else holds it, nor where nobody does: it stays as it is. Where we
alone hold it, its live value is sent instead of ours: leaving it out would remove it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gitopsd.plugin import Live
from gitopsd_plugins.kubernetes.holders import Holders

REPLICAS = "/spec/replicas"
_ABSENT: Any = object()


def adapted(
    body: Mapping[str, Any], live: Live, pointers: Collection[str], manager: str, contested: Collection[str] = ()
) -> Mapping[str, Any]:
    """The body without what is left to others; the given one is not changed. The fields of `contested` are about to be ours."""
    holders = Holders.of(live.managers, manager, contested)
    for pointer in pointers:
        path = steps(pointer)
        if _found(body, path) is not _ABSENT:
            body = _with(body, path, _sent(path, live, holders))
    return body


def scaled_by_others(live: Live, manager: str) -> bool:
    """True where something that is not a person scales the object: it holds the replicas by the scale subresource."""
    path = steps(REPLICAS)
    others = Holders.of(live.managers, manager).other(path, live.body)
    return any(e.get("subresource") == "scale" and not str(e.get("manager")).startswith("kubectl") for e in others)


def steps(pointer: str) -> tuple[str, ...]:
    """The keys and positions that a JSON pointer (RFC 6901) goes down."""
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def _sent(path: Sequence[str], live: Live, holders: Holders) -> Any:
    """The value to send, or `_ABSENT` for none."""
    others = holders.other(path, live.body)
    if not holders.we_hold(path, live.body) or any(entry.get("operation") == "Apply" for entry in others):
        return _ABSENT
    return _found(live.body, path)


def _found(value: Any, path: Sequence[str]) -> Any:
    for step in path:
        if isinstance(value, Mapping):
            value = value.get(step, _ABSENT)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return _ABSENT
        if value is _ABSENT:
            return _ABSENT
    return value


def _with(value: Any, path: Sequence[str], new: Any) -> Any:
    """`value` with `new` at the path, or nothing there; only what is on the way is copied.

    A mapping of which nothing is left goes too: to state an empty one is to hold it.
    """
    step, below = path[0], path[1:]
    if isinstance(value, list):
        items = list(value)
        at = int(step)
        if below or new is not _ABSENT:
            items[at] = _with(items[at], below, new) if below else new
        else:
            del items[at]
        return items
    copy = dict(value)
    copy[step] = _with(copy[step], below, new) if below else new
    if copy[step] is _ABSENT or (new is _ABSENT and copy[step] == {}):
        del copy[step]
    return copy

"""Flux's JSON patches and our field changes in one form, so that they can be compared: path -> value before and after.

Flux tells a change of several entries sometimes as one operation on their mapping, and names items of lists by position; we name
them by what tells them apart. Here every entry stands for itself, and items have our names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gitopsd.model.change import FieldChange
from gitopsd.reconcile import items

Path = tuple[str, ...]
Differences = dict[Path, tuple[Any, Any]]
"""None for an absent value."""

_STEP = re.compile(r"\[([^\]]*)\]|([^.\[]+)")


def of_changes(changes: Iterable[FieldChange]) -> Differences:
    """Field changes of a plan."""
    found: Differences = {}
    for change in changes:
        path = tuple(bracketed or plain for bracketed, plain in _STEP.findall(change.path))
        found |= _entries(path, change.before, change.after)
    return found


def of_patch(patch: Iterable[Mapping[str, Any]], body: Mapping[str, Any]) -> Differences:
    """Flux's operations (Type, Path, Value, OldValue) on `body`."""
    found: Differences = {}
    for operation in patch:
        path = _named(operation["Path"], body, operation.get("Value"))
        found |= _entries(path, operation.get("OldValue"), operation.get("Value"))
    return found


def states(patch: Iterable[Mapping[str, Any]], **body: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two objects that differ in exactly this."""
    before, after = {**body}, {**body}
    for operation in patch:
        *way, last = _steps(operation["Path"])
        for state, value in ((before, operation.get("OldValue")), (after, operation.get("Value"))):
            for step in way:
                state = state.setdefault(step, {})
            if value is not None:
                state[last] = value
    return before, after


def _entries(path: Path, before: Any, after: Any) -> Differences:
    if not any(isinstance(value, Mapping) and value for value in (before, after)):
        return {path: (before, after)}
    old, new = (value if isinstance(value, Mapping) else {} for value in (before, after))
    found: Differences = {}
    for key in [key for key in {*old, *new} if old.get(key) != new.get(key)]:
        found |= _entries((*path, key), old.get(key), new.get(key))
    return found


def _named(pointer: str, body: Any, value: Any) -> Path:
    path: list[str] = []
    for step in _steps(pointer):
        if isinstance(body, list):
            step = str(value["name"]) if step == "-" else list(items.named(body)[0])[int(step)]
            body = items.named(body)[0].get(step)
        else:
            body = body.get(step) if isinstance(body, Mapping) else None
        path.append(step)
    return tuple(path)


def _steps(pointer: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]

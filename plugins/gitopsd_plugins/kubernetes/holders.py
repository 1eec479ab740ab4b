"""Who holds a field of an object, by its managedFields. Pure.

A node of `fieldsV1` that is empty is held whole; `f:` names a key, `k:` a list's item by its merge keys, `v:` one by its value.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitopsd.plugin import Body
from gitopsd_plugins.kubernetes import live as lives

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holders:
    """The managers of one object as they matter to us: our own entry and what a takeover adds to it, and all others."""

    ours: tuple[Entry, ...]
    others: tuple[Entry, ...]

    @classmethod
    def of(cls, entries: Iterable[Entry], manager: str, contested: Iterable[str] = ()) -> Holders:
        """Of an object's managedFields. `contested`: managers whose entries become ours before the write."""
        all_of, taken = list(entries), set(contested)
        own = lives.own_entry(all_of, manager)
        ours = [e for e in all_of if e is own or (e.get("manager") in taken and not e.get("subresource"))]
        return cls(ours=tuple(ours), others=tuple(e for e in all_of if e not in ours))

    def we_hold(self, path: Sequence[str], body: Body) -> bool:
        """True where the field is ours, alone or with others."""
        return any(_holds(entry, path, body) for entry in self.ours)

    def other(self, path: Sequence[str], body: Body) -> tuple[Entry, ...]:
        """The entries of others that hold the field."""
        return tuple(entry for entry in self.others if _holds(entry, path, body))


def _holds(entry: Entry, path: Sequence[str], body: Body) -> bool:
    node: Any = entry.get("fieldsV1")
    value: Any = body
    if not isinstance(node, Mapping):
        return False
    for step in path:
        if not node:
            return True
        node, value = _below(node, step, value)
        if node is None:
            return False
    return True


def _below(node: Mapping[str, Any], step: str, value: Any) -> tuple[Mapping[str, Any] | None, Any]:
    if isinstance(value, list):
        item = value[int(step)] if step.isdigit() and int(step) < len(value) else None
        key = key_of(node, item)
        return None if key is None else node[key], item
    return node.get(f"f:{step}"), value.get(step) if isinstance(value, Mapping) else None


def key_of(node: Mapping[str, Any], item: Any) -> str | None:
    """The key under which a list's item is held; None where it is not."""
    return next((key for key in node if is_item(key, item)), None)


def is_item(key: str, item: Any) -> bool:
    """True where the key of a node is that of this item."""
    match _parsed(key), item:
        case ("v", wanted), _:
            return bool(wanted == item)
        case ("k", dict(wanted)), dict():
            return all(item.get(k) == v for k, v in wanted.items())
    return False


def may_be_item(key: str, item: Any) -> bool:
    """The same for an item as it is sent, which leaves out merge keys that have a default."""
    match _parsed(key), item:
        case ("k", dict(wanted)), dict():
            return any(k in item for k in wanted) and all(item.get(k, v) == v for k, v in wanted.items())
    return is_item(key, item)


def value_at(value: Any, key: str, default: Any) -> Any:
    """What stands in a mapping or list under the key of a node; merge keys that have a default may be left out."""
    if isinstance(value, Mapping):
        return value.get(key.removeprefix("f:"), default)
    return next((item for item in value if may_be_item(key, item)), default) if isinstance(value, list) else default


def _parsed(key: str) -> tuple[str, Any]:
    sort, _, text = key.partition(":")
    try:
        return (sort, json.loads(text)) if sort in {"k", "v"} else ("", None)
    except ValueError:
        return "", None

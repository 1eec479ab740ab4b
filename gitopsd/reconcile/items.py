"""PURE. What tells the items of a list apart, so that an inserted container does not look like a change of all that follow it.

Items are matched over any number of states of one list: by the key that tells them apart in all of them (`name`, a port, a
path), else by position.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_KEYS = (
    ("name",),
    ("containerPort", "protocol"),
    ("port", "protocol"),
    ("mountPath",),
    ("devicePath",),
    ("topologyKey", "whenUnsatisfiable"),
    ("key",),
    ("ip",),
    ("host",),
    ("type",),
    ("kind", "namespace", "name"),
)
"""First fit wins; the merge keys of the built-in kinds and their usual cousins."""


def named(*lists: Sequence[Any]) -> tuple[dict[str, Any], ...]:
    """Each list as a mapping from the name of an item to the item, in its own order."""
    key = next((key for key in _KEYS if all(_tells_apart(key, items) for items in lists)), None)
    return tuple(_by_position(items) if key is None else _by_key(items, key) for items in lists)


def keyed(*lists: Sequence[Any]) -> bool:
    """True where some key tells the items of all these lists apart."""
    return any(all(_tells_apart(key, items) for items in lists) for key in _KEYS)


def is_list(value: Any) -> bool:
    """True for a list of a manifest; text is none."""
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _tells_apart(key: tuple[str, ...], items: Sequence[Any]) -> bool:
    if not all(isinstance(item, Mapping) and key[0] in item for item in items):
        return False
    return len(_by_key(items, key)) == len(items)


def _by_key(items: Sequence[Any], key: tuple[str, ...]) -> dict[str, Any]:
    return {"/".join(str(item[part]) for part in key if item.get(part) not in (None, "")): item for item in items}


def _by_position(items: Sequence[Any]) -> dict[str, Any]:
    return {str(position): item for position, item in enumerate(items)}

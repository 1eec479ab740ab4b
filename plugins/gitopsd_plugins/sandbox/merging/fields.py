"""Sets of fields, in the very form of `managedFields[].fieldsV1`: nested maps whose keys are path elements.

Elements are `f:NAME` (a map's key), `k:{...}` (a list's item by its keys), `v:VALUE` (a member of a set) and `i:INDEX`.
An element is a member when its node is empty or holds "."; the root itself is never a member. Keeping the wire form as
the working form makes reading and writing managedFields free. Sets are never changed in place. It knows no schemas.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec

FieldSet = dict[str, Any]
"""Element -> FieldSet. `Any` because the type is recursive."""

MEMBER: FieldSet = {}
"""The node of a member without children."""

_SELF = {".": MEMBER}


@lru_cache(maxsize=8192)
def of_key(name: str) -> str:
    """The element of a map's key; all sets share the texts of those that many have."""
    return f"f:{name}"


SHARED_LIMIT = 2048
"""Bytes of JSON of a part of a set beyond which it is not kept for others."""
_ENCODER = msgspec.json.Encoder(order="sorted")


def shared(fields: FieldSet) -> FieldSet:
    """The same set, made of parts that all sets which say the same have in common: most objects of a kind are of few forms."""
    encoded = {element: _ENCODER.encode(node) for element, node in fields.items()}
    return {element: _part(text) if len(text) <= SHARED_LIMIT else fields[element] for element, text in encoded.items()}


@lru_cache(maxsize=1024)
def _part(text: bytes) -> FieldSet:
    part: FieldSet = msgspec.json.decode(text)
    return part


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of either."""
    if not left or not right:
        return left or right
    result = dict(left)
    for element, node in right.items():
        held = result.get(element)
        if held is None:
            result[element] = node
        elif element != "." and (held or node):
            result[element] = union(held or _SELF, node or _SELF)
    return result


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of `left` that are not in `right`."""
    if not left or not right:
        return left
    result: FieldSet = {}
    for element, node in left.items():
        other = right.get(element)
        if other is None:
            result[element] = node
        elif element != "." and (rest := difference(node or _SELF, other or _SELF)):
            result[element] = _plain(rest)
    return result


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of both."""
    result: FieldSet = {}
    for element, node in left.items():
        other = right.get(element)
        if other is None:
            continue
        if element == ".":
            result[element] = MEMBER
        elif rest := intersection(node or _SELF, other or _SELF):
            result[element] = _plain(rest)
    return result


def _plain(node: FieldSet) -> FieldSet:
    """A node that holds only itself is written as an empty one."""
    return MEMBER if len(node) == 1 and "." in node else node


def member(node: FieldSet | None) -> bool:
    """Whether the element of this node is in the set."""
    return node is not None and (not node or "." in node)


def has(held: FieldSet, path: tuple[str, ...]) -> bool:
    """Whether a path is in the set."""
    node: FieldSet | None = held
    for element in path:
        if node is None:
            return False
        node = node.get(element)
    return member(node)


def marked(node: FieldSet) -> FieldSet:
    """The node with its element in the set."""
    return node if not node or "." in node else {".": MEMBER, **node}


def without(fields: FieldSet, paths: tuple[tuple[str, ...], ...]) -> FieldSet:
    """The set without these paths and, unlike `difference`, without all below them."""
    for path in paths:
        fields = _cut(fields, path)
    return fields


def _cut(fields: FieldSet, path: tuple[str, ...]) -> FieldSet:
    head, rest = path[0], path[1:]
    node = fields.get(head)
    if node is None:
        return fields
    kept = _cut(node, rest) if rest else None
    result = {element: child for element, child in fields.items() if element != head}
    if kept or (rest and kept == {} and node == {}):
        result[head] = _plain(kept) if kept else MEMBER
    return result


def paths(fields: FieldSet, prefix: str = "") -> Iterator[str]:
    """Every member in the API server's notation, for example `.spec.containers[name="c"].image`."""
    for element, node in sorted(fields.items()):
        if element == ".":
            continue
        path = prefix + _notation(element)
        if member(node):
            yield path
        yield from paths(node, path)


def _notation(element: str) -> str:
    kind, _, text = element.partition(":")
    if kind == "f":
        return "." + text
    if kind == "k":
        keys: dict[str, Any] = msgspec.json.decode(text)
        return "[" + ",".join(f"{name}={msgspec.json.encode(value).decode()}" for name, value in keys.items()) + "]"
    return f"[={text}]" if kind == "v" else f"[{text}]"


def canonical(fields: FieldSet) -> FieldSet:
    """A set that a client wrote, with its list keys in our spelling. Raises ValueError when it is no field set."""
    if not isinstance(fields, dict):
        raise ValueError("a field set is a map")
    return {_spelled(element): canonical(node) for element, node in fields.items()}


def _spelled(element: str) -> str:
    if element == "." or element.startswith("f:"):
        return element
    kind, separator, text = element.partition(":")
    if not separator or kind not in ("k", "v", "i"):
        raise ValueError(f"invalid path element {element!r}")
    try:
        return f"{kind}:{msgspec.json.encode(msgspec.json.decode(text), order='sorted').decode()}"
    except msgspec.DecodeError as error:
        raise ValueError(f"invalid path element {element!r}") from error

"""Expressions as both languages have them, ARM's being the smaller one: plain nodes, and nothing of what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, number, boolean or null."""

    value: Any


@dataclass(frozen=True, slots=True)
class Name:
    """A parameter, variable, resource, module or loop variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Method:
    """A function that belongs to a value, such as a resource's `listKeys()`."""

    of: Node
    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """`x.name`, `x[expression]`, and with `safe` `x.?name`: null where there is none."""

    of: Node
    key: Node
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Spread:
    """`...x` in an object or array."""

    of: Node


@dataclass(frozen=True, slots=True)
class Object:
    """Pairs of key and value, and spreads."""

    entries: tuple[tuple[Node, Node] | Spread, ...]


@dataclass(frozen=True, slots=True)
class Array:
    """Items, and spreads."""

    items: tuple[Node | Spread, ...]


@dataclass(frozen=True, slots=True)
class Ternary:
    """`condition ? then : otherwise`."""

    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Binary:
    """Two values and a sign between them."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Unary:
    """`!x` or `-x`."""

    sign: str
    of: Node


@dataclass(frozen=True, slots=True)
class Text:
    """A text with expressions in it."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Lambda:
    """`x => ...`, as an argument of `map` and the like."""

    names: tuple[str, ...]
    body: Node


@dataclass(frozen=True, slots=True)
class For:
    """`[for item in source: body]`, with an index, and a condition before the body."""

    item: str
    index: str
    source: Node
    condition: Node | None
    body: Node


Node = Literal | Name | Call | Method | Member | Object | Array | Ternary | Binary | Unary | Text | Lambda | For

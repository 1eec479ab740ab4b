"""What an expression comes to, as far as that can be known without Azure. Values that cannot be known go on as such."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gitopsd_plugins.aks import functions
from gitopsd_plugins.aks.resource import Unknown
from gitopsd_plugins.aks.syntax import (
    Array,
    Binary,
    Call,
    For,
    Lambda,
    Literal,
    Member,
    Method,
    Name,
    Node,
    Object,
    Spread,
    Ternary,
    Text,
    Unary,
)

_WRONG = (TypeError, ValueError, KeyError, IndexError, AttributeError, StopIteration, ZeroDivisionError)
"""What a function raises for arguments that it cannot take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where names and the language's own functions get their values. `special` answers `NotImplemented` for others."""

    name: Callable[[str], Any]
    special: Callable[[str, tuple[Any, ...]], Any] = lambda _name, _arguments: NotImplemented
    bound: Mapping[str, Any] = field(default_factory=dict)

    def bind(self, **values: Any) -> Scope:
        """The same with loop variables."""
        return replace(self, bound={**self.bound, **values})


def value(node: Node, scope: Scope) -> Any:  # noqa: C901 - one arm for each kind of node
    """The value; parts that are not known are `Unknown` inside it."""
    match node:
        case Literal(value=known):
            return known
        case Name(name=name):
            return scope.bound[name] if name in scope.bound else scope.name(name)
        case Text(parts=parts):
            return _text([value(part, scope) for part in parts])
        case Object():
            return _object(node, scope)
        case Array():
            return _array(node, scope)
        case Member():
            return _member(value(node.of, scope), value(node.key, scope), safe=node.safe)
        case Ternary(condition=condition):
            decided = value(condition, scope)
            if isinstance(decided, Unknown):
                return decided
            return value(node.then if decided else node.otherwise, scope)
        case Unary():
            return _unary(node.sign, value(node.of, scope))
        case Binary():
            return _binary(node, scope)
        case For():
            return _loop(node, scope)
        case Call():
            return _call(node, scope)
        case Method(name=name):
            return Unknown(f"the answer of {name}(), which only Azure knows")
        case Lambda():
            return Unknown("a function where a value was expected")


def _text(parts: list[Any]) -> Any:
    unknown = next((part for part in parts if isinstance(part, Unknown)), None)
    return unknown or "".join(functions.printed(part) for part in parts)


def _object(node: Object, scope: Scope) -> Any:
    made: dict[str, Any] = {}
    for entry in node.entries:
        if isinstance(entry, Spread):
            more = value(entry.of, scope)
            if isinstance(more, Unknown):
                return more
            made |= more or {}
            continue
        key = value(entry[0], scope)
        if isinstance(key, Unknown):
            return key
        made[str(key)] = value(entry[1], scope)
    return made


def _array(node: Array, scope: Scope) -> Any:
    made: list[Any] = []
    for item in node.items:
        if isinstance(item, Spread):
            more = value(item.of, scope)
            if isinstance(more, Unknown):
                return more
            made.extend(more or [])
        else:
            made.append(value(item, scope))
    return made


def _member(of: Any, key: Any, *, safe: bool) -> Any:
    if isinstance(of, Unknown):
        return of
    if isinstance(key, Unknown):
        return key
    if isinstance(of, Mapping):
        found = next((value for name, value in of.items() if str(name).lower() == str(key).lower()), None)
        if found is not None or safe or key in of:
            return found
    elif isinstance(of, list) and isinstance(key, int) and -len(of) <= key < len(of):
        return of[key]
    return None if safe or of is None else Unknown(f"{key!r} of something that has none")


def _unary(sign: str, of: Any) -> Any:
    if isinstance(of, Unknown):
        return of
    return not of if sign == "!" else -of


def _binary(node: Binary, scope: Scope) -> Any:
    left = value(node.left, scope)
    if node.sign == "??":
        return value(node.right, scope) if left is None else left
    if isinstance(left, Unknown):
        return left
    if node.sign in {"&&", "||"} and bool(left) is (node.sign == "||"):
        return bool(left)
    right = value(node.right, scope)
    if isinstance(right, Unknown):
        return right
    try:
        return _SIGNS[node.sign](left, right)
    except _WRONG as error:
        return Unknown(f"the result of {node.sign}, which failed: {error}")


_SIGNS: Mapping[str, Callable[[Any, Any], Any]] = {
    "&&": lambda one, other: bool(one) and bool(other),
    "||": lambda one, other: bool(one) or bool(other),
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    "=~": lambda one, other: str(one).lower() == str(other).lower(),
    "!~": lambda one, other: str(one).lower() != str(other).lower(),
    "<": lambda one, other: one < other,
    ">": lambda one, other: one > other,
    "<=": lambda one, other: one <= other,
    ">=": lambda one, other: one >= other,
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
    "/": lambda one, other: one // other,
    "%": lambda one, other: one % other,
}


def _loop(node: For, scope: Scope) -> Any:
    source = value(node.source, scope)
    if isinstance(source, Unknown) or not isinstance(source, list):
        return source if isinstance(source, Unknown) else Unknown("a loop over something that is no list")
    made: list[Any] = []
    for index, item in enumerate(source):
        inner = scope.bind(**{node.item: item, **({node.index: index} if node.index else {})})
        if node.condition is None or value(node.condition, inner):
            made.append(value(node.body, inner))
    return made


def _call(node: Call, scope: Scope) -> Any:
    name = node.name.lower()
    if name == "if":
        decided = value(node.arguments[0], scope)
        return decided if isinstance(decided, Unknown) else value(node.arguments[1 if decided else 2], scope)
    if name in _WITH_LAMBDA and len(node.arguments) > 1 and isinstance(node.arguments[-1], Lambda):
        return _with_lambda(name, node, scope)
    arguments = tuple(value(argument, scope) for argument in node.arguments)
    answer = scope.special(name, arguments)
    if answer is not NotImplemented:
        return answer
    known = functions.TABLE.get(name)
    if known is None:
        return Unknown(f"the answer of {node.name}(), which is not known here")
    unknown = next((a for a in arguments if isinstance(a, Unknown)), None)
    if unknown is not None and (name not in functions.PARTIAL or name == "union"):
        return unknown
    try:
        return known(*arguments)
    except _WRONG as error:
        return Unknown(f"the answer of {node.name}(), which failed: {error}")


_WITH_LAMBDA = frozenset({"map", "filter", "reduce", "sort", "toobject"})


def _with_lambda(name: str, node: Call, scope: Scope) -> Any:
    source = value(node.arguments[0], scope)
    if isinstance(source, Unknown) or not isinstance(source, list):
        return source if isinstance(source, Unknown) else Unknown(f"{node.name}() of something that is no list")
    applied = [_applied(a, scope) if isinstance(a, Lambda) else value(a, scope) for a in node.arguments[1:]]
    try:
        match name:
            case "map":
                return [applied[0](item) for item in source]
            case "filter":
                return [item for item in source if applied[0](item)]
            case "toobject":
                return {applied[0](item): applied[1](item) if len(applied) > 1 else item for item in source}
            case "reduce":
                total = applied[0]
                for item in source:
                    total = applied[1](total, item)
                return total
    except _WRONG as error:
        return Unknown(f"the answer of {node.name}(), which failed: {error}")
    return Unknown(f"the answer of {node.name}(), which is not known here")


def _applied(made: Lambda, scope: Scope) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        return value(made.body, scope.bind(**dict(zip(made.names, arguments, strict=False))))

    return call

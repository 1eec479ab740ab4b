"""Rules in CEL: compiled once, evaluated with the values that they are about.

The library (extra `gitopsd[cel]`) is loaded with the first rule. It bounds iterations and nesting, and neither memory nor the time of
a function: what comes from a definition is evaluated in a process for it (`expression_process.py`). It knows no schemas: values come as `expression_values.py` makes them. All that is not a literal is of any type to it,
so that what a real server's type check finds is found when a rule is evaluated, or not at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gitopsd_plugins.sandbox.expressions import expression_functions, expression_values

OLD = "oldSelf"


class Unreadable(Exception):  # noqa: N818 - says what the text is
    """The text is no expression; the message is the compiler's."""


class Unknown(Exception):  # noqa: N818 - says what the text is
    """The expression cannot be evaluated here, although a real server may; the message says why."""


class Failed(Exception):  # noqa: N818 - says what happened
    """The evaluation met an error; the message is the API server's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """What a rule sees. `old` is a list of no or one value."""

    value: Any
    old: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """One that can be evaluated."""

    text: str
    uses_old: bool
    optional: bool
    gives: str
    """The type of its result, as far as it is known: BOOL, STRING, DYN, ..."""
    program: Any


_MIXED = re.compile(r"'_[<>]=?_' applied to '\((?:int|uint|double), (?:int|uint|double)\)'")
LIMIT = 8 * 1024
"""Characters of an expression."""


@lru_cache(maxsize=4096)
def compiled(text: str, *, optional: bool = False) -> Expression:
    """The expression; with `optional`, `oldSelf` is an optional value in it. Raises `Unreadable` and `Unknown`."""
    if len(text) > LIMIT:
        raise Unknown(f"it is longer than {LIMIT} characters")
    try:
        program = _environment(("self", OLD)).compile(text)
        gives = program.return_type().name()
        uses_old = OLD in text and not _compiles_without_old(text)
        if optional:
            program = _bound(text, {OLD: f"{_OLDS}[?0]"})
    except RuntimeError as error:
        if expression_functions.UNKNOWN.search(text):
            raise Unknown("it calls functions that the sandbox does not have") from error
        if _MIXED.search(str(error)):
            raise Unknown("it compares numbers of two types") from error
        raise Unreadable(_told(str(error))) from error
    return Expression(text=text, optional=optional, uses_old=uses_old, gives=gives, program=program)


def missing() -> bool:
    """Whether the library is not installed."""
    try:
        _environment(("self", OLD))
    except Unknown:
        return True
    return False


_OLDS = "__old__"


def _compiles_without_old(text: str) -> bool:
    """Whether the old value is not needed: where there is no such name, the compiler finds it missing."""
    try:
        _environment(("self",)).compile(text)
    except RuntimeError:
        return False
    return True


def _bound(text: str, names: dict[str, str]) -> Any:
    """The program with names that stand for expressions, the last one outermost."""
    for name, value in names.items():
        text = f"cel.bind({name}, {value}, {text}\n)"
    return _environment(("self", OLD, _OLDS), binds=True).compile(text)


@lru_cache(maxsize=4)
def _environment(names: tuple[str, ...], *, binds: bool = False) -> Any:
    """Where expressions are compiled; `binds` for our own additions only, since a real server has no `cel.bind`."""
    from gitopsd.plugin import Misconfigured  # here, because most clusters have no rules, and all should start soon
    from gitopsd.plugin.cel import library

    try:
        cel = library.loaded()
    except Misconfigured as error:
        raise Unknown(str(error)) from error
    variables = {name: cel.Type.List(cel.Type.DYN) if name == _OLDS else cel.Type.DYN for name in names}
    extensions = [*library.extensions(), expression_functions.extension(cel), *([library.bindings()] if binds else [])]
    return cel.NewEnv(variables=variables, extensions=extensions)


def _told(message: str) -> str:
    """The compiler's message without the library's code at both ends."""
    code, _, rest = message.partition(": ")
    return rest.removesuffix(f" [{code}]")


def evaluated(expression: Expression, variables: Variables) -> Any:
    """Its value. Raises `Failed`."""
    from gitopsd.plugin.cel import library  # loaded when it was compiled

    seen = {"self": variables.value, OLD: variables.old[0] if variables.old else None, _OLDS: list(variables.old)}
    if expression_values.has_times(seen):  # the library takes no times from outside, so they are written out
        names = {OLD: f"{_OLDS}[?0]"} if expression.optional else {}
        literals = {
            name: f"dyn({expression_values.literal(value)})" for name, value in seen.items() if name not in names
        }
        value, error = library.evaluated(_bound(expression.text, names | literals), {})
    else:
        value, error = library.evaluated(expression.program, seen)
    if error:
        raise Failed(_in_words(error))
    return value


_WORDS = (
    (re.compile(r'Key not found in map : "(.*)"'), r"no such key: \1"),
    (re.compile(r"Index error: index=(-?\d+) size=\d+"), r"index out of bounds: \1"),
    (re.compile(r"divide by zero"), "division by zero"),
    (re.compile(r"No matching overloads found : _.*"), "no such overload"),
    (re.compile(r"No matching overloads found : \(?[^()]*\)?\.?(\w+)\(.*"), r"no such overload: \1"),
    (re.compile(r"No matching overloads found : (\w+).*"), r"no such overload: \1"),
    (re.compile(r"cannot convert string to int|Integer conversion.*"), "type conversion error from 'string' to 'int'"),
    (
        re.compile(r"String to Timestamp conversion failed"),
        "type conversion error from 'string' to 'google.protobuf.Timestamp'",
    ),
    (
        re.compile(r"String to Duration conversion failed"),
        "type conversion error from 'string' to 'google.protobuf.Duration'",
    ),
    (re.compile(r"Iteration budget exceeded"), "operation cancelled: actual cost limit exceeded"),
)


def _in_words(error: str) -> str:
    """An error of the library as the API server tells it, where we know how."""
    for pattern, words in _WORDS:
        if found := pattern.fullmatch(error):
            return found.expand(words)
    return error

"""Post-build variables in a text: `${name}` with the operators that Flux knows, read into nodes, then evaluated.

The grammar is Flux's, odd corners included: `$name` is left alone, `$$` is one dollar and hides what follows from
being an expression, escapes hold inside a replacement only, and an operator that provides for a missing value
(`:-`, `:=`, `=`, `:?`, `:+`) takes any number of parts while the others take one text or one expression each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gitopsd.plugin import Rejected
from gitopsd_plugins.kustomize.app import operators

MAX_DEPTH = 50
MAX_OUTPUT = 16 * 1024 * 1024
_PROVIDES = {"=", ":=", ":-", ":?", ":+"}
_END = ""
Accepts = Callable[[str, int], bool]


class ExpressionError(Rejected):
    """A text that cannot be substituted; `variable` is the one that is not set, '' where the grammar is broken."""

    def __init__(self, message: str, *, variable: str = "") -> None:
        super().__init__(message)
        self.variable = variable


@dataclass(frozen=True, slots=True)
class Call:
    """One expression: an operator ('' for none) on a variable, with arguments."""

    variable: str
    operator: str = ""
    arguments: tuple[Node, ...] = ()


Node = str | Call


def substitute(text: str, values: Mapping[str, str], *, strict: bool = True) -> str:
    """The text with every expression replaced. `strict`: a variable that nothing provides is an error.

    Raises `ExpressionError`; no value is ever part of its message.
    """
    written: list[str] = []
    size = 0
    for node in parse(text):
        part = _evaluated(node, values, strict)
        size += len(part)
        if size > MAX_OUTPUT:
            raise ExpressionError(f"substitution makes more than {MAX_OUTPUT:,} characters of one object")
        written.append(part)
    return "".join(written)


def parse(text: str) -> list[Node]:
    """The parts of a text: plain ones and expressions. Raises `ExpressionError`."""
    return _Parser(text).parts()


def _evaluated(node: Node, values: Mapping[str, str], strict: bool) -> str:
    if isinstance(node, str):
        return node
    arguments = [_evaluated(argument, values, strict) for argument in node.arguments]
    value = values.get(node.variable)
    if value is None and strict and node.operator not in _PROVIDES:
        raise ExpressionError(f"variable not set (strict mode): {node.variable!r}", variable=node.variable)
    try:
        return operators.apply(node.operator, value or "", arguments)
    except ValueError as error:
        raise ExpressionError(f"${{{node.variable}{node.operator}...}}: {error}", variable=node.variable) from None


class _Parser:
    """Walks over a text once; `at` is where it stands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def parts(self) -> list[Node]:
        found: list[Node] = []
        while self._at < len(self._text):
            if self._opens():
                found.append(self._expression())
            else:
                found.append(self._plain())
        return found

    def _plain(self) -> str:
        """Text up to the next expression; two dollars are one."""
        start, written = self._at, list[str]()
        while (dollar := self._text.find("$", self._at)) >= 0:
            self._at = dollar
            if self._opens():
                return "".join([*written, self._text[start:dollar]])
            step = 2 if self._text.startswith("$$", dollar) else 1
            written.append(self._text[start : dollar + 1])
            self._at = start = dollar + step
        self._at = len(self._text)
        return "".join([*written, self._text[start:]])

    def _opens(self) -> bool:
        return self._text.startswith("${", self._at)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _run(self, accepts: Accepts) -> str:
        """The longest run of accepted characters, which may be none; `accepts` gets each with its place from 1 on."""
        start = self._at
        while self._at < len(self._text) and accepts(self._text[self._at], self._at - start + 1):
            self._at += 1
        return self._text[start : self._at]

    def _expression(self) -> Call:
        self._at += 2
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"expressions are more than {MAX_DEPTH} deep")
        found = self._length() if self._peek() == "#" else self._call()
        if self._peek() != "}":
            raise ExpressionError(f"bad substitution: missing closing brace after ${{{found.variable}")
        self._at += 1
        self._depth -= 1
        return found

    def _length(self) -> Call:
        self._at += 1
        return Call(self._name(), "length")

    def _call(self) -> Call:
        name = self._name()
        match self._peek():
            case ":" if self._text[self._at + 1 : self._at + 2] not in {"=", "-", "?", "+"}:
                return self._substring(name)
            case ":" | "=":
                return self._default(name)
            case "," | "^":
                return Call(name, self._run(lambda c, i: c in ",^" and i < 3))
            case "/":
                return self._replacement(name)
            case "#" | "%" as sign:
                return Call(name, self._run(lambda c, i: c == sign and i < 3), (self._argument("}"),))
        return Call(name)

    def _name(self) -> str:
        name = self._run(lambda c, _: c.isalpha() or c.isdecimal() or c == "_")
        if not name:
            raise ExpressionError("unable to parse a variable's name; write $${ for a text that is no variable")
        return name

    def _default(self, name: str) -> Call:
        operator = "=" if self._peek() == "=" else self._text[self._at : self._at + 2]
        self._at += len(operator)
        arguments: list[Node] = []
        while self._peek() != "}":
            arguments.append(self._argument("}"))
        return Call(name, operator, tuple(arguments))

    def _substring(self, name: str) -> Call:
        self._at += 1
        arguments = [self._argument(":}")]
        if self._run(lambda c, _: c == ":"):
            arguments.append(self._argument("}"))
        return Call(name, ":", tuple(arguments))

    def _replacement(self, name: str) -> Call:
        operator = self._run(lambda c, i: (c == "/") if i == 1 else i == 2 and c in "/#%")
        arguments = [self._argument("/", escapes=True)]
        if not self._run(lambda c, _: c == "/"):
            raise ExpressionError(f"bad substitution: ${{{name}{operator} needs a second /")
        if self._peek() != "}":
            arguments.append(self._argument("}", escapes=True))
        return Call(name, operator, tuple(arguments))

    def _argument(self, ends: str, *, escapes: bool = False) -> Node:
        """One expression, or text up to one of `ends` or the next expression. Raises when there is neither."""
        if self._opens():
            return self._expression()
        written: list[str] = []
        while (character := self._peek()) != _END and not self._opens():
            if escapes and self._text.startswith(("$$", "\\/", "\\\\"), self._at):
                self._at += 1
            elif character in ends:
                break
            written.append(self._peek())
            self._at += 1
        if not written:
            raise ExpressionError("unable to parse substitution within an expression; check its braces")
        return "".join(written)

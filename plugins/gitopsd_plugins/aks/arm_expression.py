"""ARM's expressions: `[concat('a', parameters('b'))]`, which are calls, texts, numbers, `.x` and `[i]`. Parses, and no more."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gitopsd_plugins.aks.resource import InputError
from gitopsd_plugins.aks.syntax import Call, Literal, Member, Node

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+)|(?P<name>[A-Za-z_][\w]*)|(?P<mark>\.\?|[()\[\].,]))"
)
DEEPEST = 100


def is_expression(text: str) -> bool:
    """True for a text that is computed; `[[` is a bracket that means itself."""
    return text.startswith("[") and text.endswith("]") and not text.startswith("[[")


def parsed(text: str) -> Node:
    """The expression in a text that `is_expression`. Raises `InputError`."""
    inner = text[1:-1]
    tokens: list[tuple[str, str]] = []
    position = 0
    while inner[position:].strip():
        found = _TOKEN.match(inner, position)
        if found is None:
            raise InputError(f"{_short(text)}: {inner[position:].strip()[:20]!r} is no expression")
        tokens.append((str(found.lastgroup), found.group(str(found.lastgroup))))
        position = found.end()
    reader = _Reader(text, tokens)
    node = reader.expression(0)
    if reader.rest():
        raise InputError(f"{_short(text)}: goes on after its end")
    return node


@dataclass(slots=True)
class _Reader:
    whole: str
    tokens: list[tuple[str, str]]
    at: int = 0

    def rest(self) -> bool:
        return self.at < len(self.tokens)

    def expression(self, depth: int) -> Node:
        if depth > DEEPEST:
            raise InputError(f"{_short(self.whole)}: is nested deeper than {DEEPEST}")
        node = self._operand(depth)
        while self._peek() in {".", ".?", "["}:
            mark = self._take()
            if mark == "[":
                node = Member(node, self.expression(depth + 1))
                self._expect("]")
            else:
                node = Member(node, Literal(self._take()), safe=mark == ".?")
        return node

    def _operand(self, depth: int) -> Node:
        if not self.rest():
            raise InputError(f"{_short(self.whole)}: ends too early")
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "text":
            return Literal(text[1:-1].replace("''", "'"))
        if kind == "number":
            return Literal(int(text))
        if kind == "name":
            self._expect("(")
            return Call(text, self._arguments(depth))
        raise InputError(f"{_short(self.whole)}: {text!r} stands where a value is expected")

    def _arguments(self, depth: int) -> tuple[Node, ...]:
        found: list[Node] = []
        while self._peek() != ")":
            found.append(self.expression(depth + 1))
            if self._peek() == ",":
                self._take()
            elif self._peek() != ")":
                raise InputError(f"{_short(self.whole)}: a comma or a closing bracket is missing")
        self._take()
        return tuple(found)

    def _peek(self) -> str:
        return self.tokens[self.at][1] if self.rest() and self.tokens[self.at][0] == "mark" else ""

    def _take(self) -> str:
        if not self.rest():
            raise InputError(f"{_short(self.whole)}: ends too early")
        self.at += 1
        return self.tokens[self.at - 1][1]

    def _expect(self, mark: str) -> None:
        if self._peek() != mark:
            raise InputError(f"{_short(self.whole)}: {mark!r} is missing")
        self._take()


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."

"""Bicep's expressions, from tokens to nodes. Line breaks separate the items of objects and arrays and mean nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitopsd_plugins.aks.bicep_tokens import Token
from gitopsd_plugins.aks.resource import InputError
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

_LEVELS = (("??",), ("||",), ("&&",), ("==", "!=", "=~", "!~"), ("<", ">", "<=", ">="), ("+", "-"), ("*", "/", "%"))
_WORDS = {"true": True, "false": False, "null": None}
_NAMESPACES = {"az", "sys"}
DEEPEST = 40
"""Each level costs ten calls of Python, which allows a thousand."""


def parsed(tokens: Sequence[Token], *, file: str) -> Node:
    """One whole expression. Raises `InputError` with the line."""
    reader = _Reader(tokens, file)
    node = reader.expression()
    reader.blank()
    if reader.token.kind != "end":
        raise reader.fault("goes on after its end")
    return node


@dataclass(slots=True)
class _Reader:
    tokens: Sequence[Token]
    file: str
    at: int = 0
    depth: int = 0

    @property
    def token(self) -> Token:
        """The one at hand; the end for ever, once it was reached."""
        return self.tokens[min(self.at, len(self.tokens) - 1)]

    def fault(self, what: str) -> InputError:
        return InputError(
            f"{self.file}:{self.token.line}: {self.token.text!r}: {what}; `bicep build` reads all of Bicep, and its JSON is read here"
        )

    def blank(self) -> None:
        while self.token.kind == "line":
            self.at += 1

    def _is(self, *marks: str) -> bool:
        return self.token.kind == "mark" and self.token.text in marks

    def _after_lines(self, *marks: str) -> bool:
        """True where the next token, on whatever line, is one of these; only signs that begin no item go on like that."""
        at = min(self.at, len(self.tokens) - 1)
        while self.tokens[at].kind == "line":
            at += 1
        found = self.tokens[at].kind == "mark" and self.tokens[at].text in marks
        if found:
            self.at = at
        return found

    def _expect(self, mark: str) -> None:
        self.blank()
        if not self._is(mark):
            raise self.fault(f"{mark!r} is expected here")
        self.at += 1

    def expression(self) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.fault(f"is nested deeper than {DEEPEST}")
        self.blank()
        condition = self._level(0)
        if self._after_lines("?"):
            self.at += 1
            then = self.expression()
            self._expect(":")
            condition = Ternary(condition, then, self.expression())
        self.depth -= 1
        return condition

    def _level(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        node = self._level(level + 1)
        while self._is(*_LEVELS[level]) or (level < 5 and self._after_lines(*_LEVELS[level])):
            sign = self.token.text
            self.at += 1
            self.blank()
            node = Binary(sign, node, self._level(level + 1))
        return node

    def _unary(self) -> Node:
        signs: list[str] = []
        while self._is("!", "-"):
            signs.append(self.token.text)
            self.at += 1
        if len(signs) > DEEPEST:
            raise self.fault(f"is nested deeper than {DEEPEST}")
        node = self._suffixed(self._operand())
        for sign in reversed(signs):
            node = Unary(sign, node)
        return node

    def _suffixed(self, node: Node) -> Node:
        begun = self.at
        while self._is(".", ".?", "::", "[", "!"):
            if self.at - begun > 5 * DEEPEST:
                raise self.fault(f"is nested deeper than {DEEPEST}")
            mark = self.token.text
            self.at += 1
            if mark == "!":  # the sign that says that something is not null
                continue
            if mark == "[":
                safe = self._is("?")
                self.at += safe
                node = Member(node, self.expression(), safe=safe)
                self._expect("]")
                continue
            name = self._name()
            if self._is("("):
                arguments = self._arguments()
                known = isinstance(node, Name) and node.name in _NAMESPACES
                node = Call(name, arguments) if known else Method(node, name)
            else:
                node = Member(node, Literal(name), safe=mark == ".?")
        return node

    def _name(self) -> str:
        if self.token.kind != "name":
            raise self.fault("a name is expected here")
        self.at += 1
        return self.tokens[self.at - 1].text

    def _operand(self) -> Node:
        token = self.token
        if token.kind == "text":
            self.at += 1
            return self._text(token)
        if token.kind == "number":
            self.at += 1
            return Literal(int(token.text))
        if token.kind == "name":
            return self._named()
        if self._is("("):
            return self._bracketed()
        if self._is("{"):
            return self._object()
        if self._is("["):
            return self._array()
        raise self.fault("a value is expected here")

    def _text(self, token: Token) -> Node:
        parts = [
            Literal(part) if isinstance(part, str) else parsed(part, file=self.file)
            for part in token.parts
            if part != ""
        ]
        if all(isinstance(part, Literal) for part in parts):
            return Literal("".join(part.value for part in parts if isinstance(part, Literal)))
        return Text(tuple(parts))

    def _named(self) -> Node:
        name = self._name()
        if name in _WORDS:
            return Literal(_WORDS[name])
        if self._is("=>"):
            self.at += 1
            return Lambda((name,), self.expression())
        return Call(name, self._arguments()) if self._is("(") else Name(name)

    def _arguments(self) -> tuple[Node, ...]:
        self._expect("(")
        found: list[Node] = []
        self.blank()
        while not self._is(")"):
            found.append(self.expression())
            self.blank()
            if self._is(","):
                self.at += 1
                self.blank()
            elif not self._is(")"):
                raise self.fault("a comma or a closing bracket is expected here")
        self.at += 1
        return tuple(found)

    def _bracketed(self) -> Node:
        """A value in brackets, or the names of a lambda."""
        names, at = [], self.at + 1
        while at < len(self.tokens) and (self.tokens[at].kind == "name" or self.tokens[at].text == ","):
            names += [self.tokens[at].text] if self.tokens[at].kind == "name" else []
            at += 1
        if [token.text for token in self.tokens[at : at + 2]] == [")", "=>"]:
            self.at = at + 2
            return Lambda(tuple(names), self.expression())
        self.at += 1
        node = self.expression()
        self._expect(")")
        return node

    def _object(self) -> Node:
        self._expect("{")
        entries: list[tuple[Node, Node] | Spread] = []
        while not self._closed("}"):
            if self._is("..."):
                self.at += 1
                entries.append(Spread(self.expression()))
                continue
            token = self.token
            key = self._text(token) if token.kind == "text" else Literal(token.text)
            if token.kind not in {"text", "name"}:
                raise self.fault("a key is expected here")
            self.at += 1
            self._expect(":")
            entries.append((key, self.expression()))
        return Object(tuple(entries))

    def _array(self) -> Node:
        self._expect("[")
        self.blank()
        if self.token.text == "for":
            return self._loop()
        items: list[Node | Spread] = []
        while not self._closed("]"):
            if self._is("..."):
                self.at += 1
                items.append(Spread(self.expression()))
            else:
                items.append(self.expression())
        return Array(tuple(items))

    def _closed(self, mark: str) -> bool:
        """Skip what separates items; True when the end was there, which is taken."""
        while self.token.kind == "line" or self._is(","):
            self.at += 1
        if self.token.kind == "end":
            raise self.fault(f"{mark!r} is missing")
        if self._is(mark):
            self.at += 1
            return True
        return False

    def _loop(self) -> Node:
        self.at += 1
        index = ""
        if self._is("("):
            self.at += 1
            item = self._name()
            self._expect(",")
            index = self._name()
            self._expect(")")
        else:
            item = self._name()
        if self._name() != "in":
            raise self.fault("'in' is expected here")
        source = self.expression()
        self._expect(":")
        self.blank()
        condition = None
        if self.token.text == "if":
            self.at += 1
            condition = self._bracketed()
            self.blank()
        body = self.expression()
        self._expect("]")
        return For(item, index, source, condition, body)

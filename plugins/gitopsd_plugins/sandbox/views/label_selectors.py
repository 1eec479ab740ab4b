"""Label selectors: text to requirements, by the API server's grammar and with its messages.

`a`, `!a`, `a=b`, `a==b`, `a!=b`, `a in (b, c)`, `a notin (b)`, `a>1`, `a<1`, with commas between. It knows no objects.
"""

from __future__ import annotations

import re

from msgspec import Struct, field

from gitopsd_plugins.sandbox.facts import names
from gitopsd_plugins.sandbox.requests import status

_TOKENS = re.compile(r"[ \t\r\n]*(==|!=|[=!(),<>]|[^=!(),<> \t\r\n]+|$)")
_SIGNS = frozenset(("=", "==", "!=", "!", "(", ")", ",", "<", ">"))
_OPERATORS = ("in", "notin", "=", "==", "!=", ">", "<")
_TOLD = "in, notin, =, ==, !=, gt, lt"
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}")


class Unreadable(Exception):  # noqa: N818 - says what the text is
    """The text is no selector; the message is the API server's."""


class Requirement(Struct, frozen=True):
    """What one label must be. `operator` is '' for one that must be there, `!` for one that must not."""

    key: str
    operator: str = ""
    values: frozenset[str] = frozenset()


def read(text: str) -> list[Requirement]:
    """The requirements of a selector. Raises `Refused` (400)."""
    try:
        return _Parser(_tokens(text)).requirements()
    except Unreadable as error:
        raise status.bad_request(str(error)) from error


def _tokens(text: str) -> list[str]:
    """The tokens; an empty one stands for the end."""
    found, at = [], 0
    while match := _TOKENS.match(text, at):
        found.append(match[1])
        if not match[1]:
            break
        at = match.end()
    return found


def _is_word(token: str) -> bool:
    return bool(token) and token not in _SIGNS


class _Parser(Struct):
    tokens: list[str]
    at: int = 0
    found: list[Requirement] = field(default_factory=list)

    def next(self) -> str:
        token = self.tokens[self.at]
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def ahead(self) -> str:
        return self.tokens[self.at]

    def requirements(self) -> list[Requirement]:
        while (token := self.ahead()) != "":
            if token != "!" and not _is_word(token):
                raise Unreadable(f"found '{token}', expected: !, identifier, or 'end of string'")
            try:
                self.found.append(_checked(self.requirement()))
            except Unreadable as error:
                raise Unreadable(f"unable to parse requirement: {error}") from error
            if (token := self.next()) == "":
                break
            if token != ",":
                raise Unreadable(f"found '{token}', expected: ',' or 'end of string'")
            if (token := self.ahead()) != "!" and not _is_word(token):
                raise Unreadable(f"found '{token}', expected: identifier after ','")
        return self.found

    def requirement(self) -> Requirement:
        absent = self.ahead() == "!"
        if absent:
            self.next()
        if not _is_word(key := self.next()):
            raise Unreadable(f"found '{key}', expected: identifier")
        if why := names.qualified(key):
            raise Unreadable(f'<nil>: Invalid value: "{key}": {why}')
        if absent:
            return Requirement(key, "!")
        if self.ahead() in ("", ","):
            return Requirement(key)
        if (operator := self.next()) not in _OPERATORS:
            raise Unreadable(f"found '{operator}', expected: {_TOLD}")
        values = self.several() if operator in ("in", "notin") else {self.one()}
        return Requirement(key, operator, frozenset(values))

    def one(self) -> str:
        if self.ahead() in ("", ","):
            return ""
        if not _is_word(token := self.next()):
            raise Unreadable(f"found '{token}', expected: identifier")
        return token

    def several(self) -> set[str]:
        if (token := self.next()) != "(":
            raise Unreadable(f"found '{token}' expected: '('")
        if self.ahead() == ")":
            self.next()
            return {""}
        if (token := self.ahead()) != "," and not _is_word(token):
            raise Unreadable(f"found '{token}', expected: ',', ')' or identifier")
        return self.listed()

    def listed(self) -> set[str]:
        """The values up to the closing parenthesis; nothing between two commas is the empty value."""
        found, wants = set[str](), True
        while (token := self.next()) != ")":
            if token == ",":
                found |= {""} if wants else set()
                wants = True
            elif not _is_word(token):
                raise Unreadable(f"found '{token}', expected: ',', or identifier")
            elif not wants:
                raise Unreadable(f"found '{token}', expected: ',' or ')'")
            else:
                found.add(token)
                wants = False
                if not _is_word(after := self.ahead()) and after not in (",", ")"):
                    raise Unreadable(f"found '{after}', expected: ',' or ')'")
        return found | {""} if wants else found


def _checked(found: Requirement) -> Requirement:
    """Refuse values that no label can have."""
    wrong = []
    for index, value in enumerate(sorted(found.values)):
        if found.operator in ("<", ">") and not _NUMBER.fullmatch(value):
            told = "for 'Gt', 'Lt' operators, the value must be an integer"
            wrong.append(f'values[{index}]: Invalid value: "{value}": {told}')
        if why := names.label_value(value):
            wrong.append(f'values[{index}][{found.key}]: Invalid value: "{value}": {why}')
    if wrong:
        raise Unreadable(wrong[0] if len(wrong) == 1 else f"[{', '.join(wrong)}]")
    return found

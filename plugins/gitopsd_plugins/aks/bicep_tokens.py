"""Bicep text as tokens, with the lines that they stand on. Interpolated texts are cut into their parts here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gitopsd_plugins.aks.resource import InputError

_PLAIN = re.compile(
    r"(?P<blank>[ \t\r]+|//[^\n]*|#[^\n]*|/\*.*?\*/)|(?P<line>\n)|(?P<number>\d+)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<mark>\.\.\.|::|=>|\?\?|\.\?|&&|\|\||==|!=|=~|!~|<=|>=|[-+*/%!<>=?:.,(){}\[\]@])",
    re.S,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", "$": "$"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """`kind` is name, number, mark, line, text or end. The parts of a text: texts, and token lists of expressions."""

    kind: str
    text: str
    line: int
    parts: tuple[str | tuple[Token, ...], ...] = ()


def of(source: str, *, file: str, line: int = 1) -> Sequence[Token]:
    """All tokens and an end. Raises `InputError` with the line."""
    return _Cutter(source, file, line).all(end="")[0]


@dataclass(slots=True)
class _Cutter:
    source: str
    file: str
    line: int
    at: int = 0

    def all(self, end: str) -> tuple[tuple[Token, ...], int]:
        """Tokens up to an unpaired `end` mark, or to the end of the text."""
        found: list[Token] = []
        depth = 0
        while self.at < len(self.source):
            if self.source[self.at] == "'":
                found.append(self._text())
                continue
            match = _PLAIN.match(self.source, self.at)
            if match is None:
                raise InputError(f"{self.file}:{self.line}: {self.source[self.at]!r} is not expected here")
            kind, text = str(match.lastgroup), match.group()
            if end and kind == "mark" and text == end and depth == 0:
                self.at = match.end()
                break
            depth += (text == "{") - (text == "}")
            if kind != "blank":
                found.append(Token(kind=kind, text=text, line=self.line))
            self.line += text.count("\n")
            self.at = match.end()
        else:
            if end:
                raise InputError(f"{self.file}:{self.line}: ${{ is never closed")
        found.append(Token(kind="end", text="", line=self.line))
        return tuple(found), self.at

    def _text(self) -> Token:
        begun = self.line
        if self.source.startswith("'''", self.at):
            return self._block(begun)
        self.at += 1
        parts: list[str | tuple[Token, ...]] = []
        plain = ""
        while self.at < len(self.source):
            character = self.source[self.at]
            if character == "'":
                self.at += 1
                return Token(kind="text", text="", line=begun, parts=(*parts, plain))
            if character == "\n":
                break
            if self.source.startswith("${", self.at):
                self.at += 2
                inner, self.at = self.all(end="}")
                parts += [plain, inner]
                plain = ""
            elif character == "\\":
                plain += self._escape()
            else:
                plain += character
                self.at += 1
        raise InputError(f"{self.file}:{begun}: a text is never closed")

    def _block(self, begun: int) -> Token:
        """Between three quotes everything means itself; a line break right after them does not count."""
        end = self.source.find("'''", self.at + 3)
        if end < 0:
            raise InputError(f"{self.file}:{begun}: ''' is never closed")
        while self.source.startswith("''''", end):
            end += 1
        text = self.source[self.at + 3 : end]
        self.line += text.count("\n")
        self.at = end + 3
        return Token(kind="text", text="", line=begun, parts=(text.removeprefix("\r").removeprefix("\n"),))

    def _escape(self) -> str:
        code = self.source[self.at + 1 : self.at + 2]
        if found := re.compile(r"\\u\{([0-9A-Fa-f]{1,6})\}").match(self.source, self.at):
            self.at = found.end()
            return chr(min(int(found.group(1), 16), 0x10FFFF))
        if code not in _ESCAPES:
            raise InputError(f"{self.file}:{self.line}: \\{code} means nothing in a text")
        self.at += 2
        return _ESCAPES[code]

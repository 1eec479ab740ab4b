"""A Bicep file as statements, cut out by balanced brackets. Only those that a flux resource needs are ever parsed.

Types, functions, imports, outputs and decorators are passed over: what stands in them cannot fail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gitopsd_plugins.aks import bicep_tokens
from gitopsd_plugins.aks.bicep_tokens import Token
from gitopsd_plugins.aks.resource import InputError

_KEPT = {"param", "var", "resource", "module", "using"}
_OPEN, _CLOSE = {"(", "[", "{"}, {")", "]", "}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement: its word, its name, the text between name and `=` (a resource's type), and the tokens after `=`."""

    word: str
    name: str
    line: int
    type: str = ""
    existing: bool = False
    value: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BicepFile:
    """The statements of a file by word and name."""

    file: str
    params: Mapping[str, Statement] = field(default_factory=dict)
    variables: Mapping[str, Statement] = field(default_factory=dict)
    resources: tuple[Statement, ...] = ()
    modules: tuple[Statement, ...] = ()
    using: str = ""


def read(source: str, file: str) -> BicepFile:
    """Cut a file into statements. Raises `InputError` for text that is no Bicep at all."""
    params: dict[str, Statement] = {}
    variables: dict[str, Statement] = {}
    resources: list[Statement] = []
    modules: list[Statement] = []
    using = ""
    for tokens in _pieces(bicep_tokens.of(source.replace("\r\n", "\n"), file=file), file):
        statement = _statement(tokens)
        match statement.word:
            case "param":
                params[statement.name] = statement
            case "var":
                variables[statement.name] = statement
            case "resource":
                resources.append(statement)
            case "module":
                modules.append(statement)
            case "using":
                using = statement.type
    return BicepFile(
        file=file, params=params, variables=variables, resources=tuple(resources), modules=tuple(modules), using=using
    )


def _pieces(tokens: Sequence[Token], file: str) -> Sequence[Sequence[Token]]:
    """Tokens of each statement at the top; a line break ends one where no bracket is open and nothing goes on."""
    pieces: list[list[Token]] = []
    piece: list[Token] = []
    depth = 0
    for index, token in enumerate(tokens):
        if token.kind == "mark":
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
        if depth < 0:
            raise InputError(f"{file}:{token.line}: {token.text!r} closes nothing")
        ends = token.kind in {"line", "end"} and depth == 0
        if ends and piece and not _goes_on(piece[-1], tokens[index:]):
            if piece[0].text in _KEPT:
                pieces.append(piece)
            piece = []
        elif token.kind != "line" or (piece and depth):
            piece.append(token)
    if depth:
        raise InputError(f"{file}: a bracket is never closed")
    return pieces


def _goes_on(last: Token, rest: Sequence[Token]) -> bool:
    """A statement over several lines outside of brackets: a sign ends the one line or begins the next."""
    following = next((token for token in rest if token.kind != "line"), rest[-1])
    begins = following.kind == "mark" and following.text in {"?", ":", "&&", "||", "??", "==", "!="}
    return begins or (last.kind == "mark" and last.text in {"=", "?", ":", "&&", "||", "??", "==", "!=", "+"})


def _statement(tokens: Sequence[Token]) -> Statement:
    word, line = tokens[0].text, tokens[0].line
    name = tokens[1].text if len(tokens) > 1 and tokens[1].kind == "name" else ""
    text = next((token for token in tokens[1:3] if token.kind == "text"), None)
    kind = "".join(part for part in text.parts if isinstance(part, str)) if text else ""
    depth, start = 0, len(tokens)
    for index, token in enumerate(tokens):
        if token.kind == "mark":
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
            if token.text == "=" and depth == 0:
                start = index + 1
                break
    existing = any(token.text == "existing" for token in tokens[:start])
    end = Token(kind="end", text="", line=tokens[-1].line)
    value = (*tokens[start:], end) if start < len(tokens) else ()
    return Statement(word=word, name=name, line=line, type=kind, existing=existing, value=value)

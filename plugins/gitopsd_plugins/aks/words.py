"""Commands as words: the quoting, line continuations, comments and variables of bash, PowerShell and cmd. Runs nothing.

Variables that the text itself sets to plain values, and those that were given, are filled in; any other is an error that
names all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gitopsd_plugins.aks.resource import InputError

_CONTINUED = re.compile(r"[ \t]*[\\`^][ \t]*\n")
_COMMENT = re.compile(r"^\s*(#|::|@?rem\b)", re.I)
_ASSIGNED = re.compile(r"^\s*(?:export\s+|declare\s+|set\s+\"?|\$(?:env:)?)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*;?\s*$")
_VARIABLE = re.compile(r"\$\{(?:env:)?(\w+)\}|\$(?:env:)?([A-Za-z_]\w*)|%(\w+)%")
_PLAIN = re.compile(r"""^(?:"([^"$`%]*)"|'([^']*)'|([^\s"'$`%;&|()]*))"?$""")
_ENDS = ";&|\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command: the line that it begins on, and its words."""

    line: int
    words: tuple[str, ...]


@dataclass(slots=True)
class _Reading:
    escape: str
    variables: dict[str, str]
    missing: set[str] = field(default_factory=set)


def commands(text: str, given: Mapping[str, str], wanted: Sequence[str]) -> Sequence[Command]:
    """The commands whose first words are `wanted`. Raises `InputError` for open quotes and unknown variables in them."""
    text = text.replace("\r\n", "\n")
    reading = _Reading(escape=_escape(text), variables=dict(given))
    found = [command for command in _all(text, reading, wanted) if command.words[: len(wanted)] == tuple(wanted)]
    if reading.missing:
        names = ", ".join(sorted(reading.missing))
        raise InputError(f"the commands use variables that are not set here: {names}; give each with --var NAME=VALUE")
    return found


def _escape(text: str) -> str:
    """The character that takes the meaning of the next one: it ends the lines that go on."""
    counts = {mark: len(re.findall(rf"[ \t]{re.escape(mark)}[ \t]*\n", text)) for mark in "\\`^"}
    most = max(counts, key=lambda mark: counts[mark])
    if counts[most]:
        return most
    return "`" if re.search(r"^\s*\$\w+\s*=", text, re.M) else "\\"


def _all(text: str, reading: _Reading, wanted: Sequence[str]) -> Iterator[Command]:
    for number, line in _lines(text):
        if _COMMENT.match(line):
            continue
        start = re.search(r"\b" + r"\s+".join(map(re.escape, wanted)) + r"\b", line)
        if start:
            yield from (Command(line=number, words=words) for words in _split(line[start.start() :], number, reading))
        elif assigned := _ASSIGNED.match(line):
            _assign(assigned.group(1), assigned.group(2), reading)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Whole lines with the number of their first one."""
    number = 1
    for line in _CONTINUED.sub("\0", text).split("\n"):
        yield number, line.replace("\0", " ")
        number += 1 + line.count("\0")


def _assign(name: str, text: str, reading: _Reading) -> None:
    """Remember a plain value; one that would have to be computed stays unknown. What was given goes first."""
    plain = _PLAIN.match(text)
    if plain and name not in reading.variables:
        reading.variables[name] = next((part for part in plain.groups() if part is not None), "")


def _split(line: str, number: int, reading: _Reading) -> Iterator[tuple[str, ...]]:
    words: list[str] = []
    word: list[str] | None = None
    index = 0
    while index < len(line):
        character = line[index]
        if character == reading.escape and index + 1 < len(line):
            word = [*(word or ()), line[index + 1]]
            index += 2
        elif character == '"' or (character == "'" and reading.escape != "^"):
            text, index = _quoted(line, index, number, reading)
            word = [*(word or ()), text]
        elif character.isspace() or character in _ENDS:
            words += ["".join(word)] if word is not None else []
            word = None
            index += 1
            if character in _ENDS:
                yield tuple(words)
                words = []
        elif found := _VARIABLE.match(line, index):
            word = [*(word or ()), _value(found, reading)]
            index = found.end()
        elif line.startswith("$(", index):
            raise InputError(f"line {number}: $(...) is not run here; write its value, or a variable with --var")
        else:
            word = [*(word or ()), character]
            index += 1
    yield (*words, *(("".join(word),) if word is not None else ()))


def _quoted(line: str, start: int, number: int, reading: _Reading) -> tuple[str, int]:
    """A quoted part and where it ends; variables mean something in double quotes only."""
    quote, index, text = line[start], start + 1, ""
    while index < len(line):
        character = line[index]
        if character == quote:
            return text, index + 1
        found = _VARIABLE.match(line, index) if quote == '"' else None
        if quote == '"' and character == reading.escape and line[index + 1 : index + 2] in {'"', "$", reading.escape}:
            text, index = text + line[index + 1], index + 2
        elif found:
            text, index = text + _value(found, reading), found.end()
        else:
            text, index = text + character, index + 1
    raise InputError(f"line {number}: a {quote} is never closed")


def _value(found: re.Match[str], reading: _Reading) -> str:
    name = next(part for part in found.groups() if part)
    if name not in reading.variables:
        reading.missing.add(name)
    return reading.variables.get(name, "")

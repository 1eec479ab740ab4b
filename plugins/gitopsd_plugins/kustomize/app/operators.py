"""What each operator of a post-build expression makes of a value. Lengths and offsets count bytes, as in Flux."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

MAX_TRIMMED = 10_000
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
Arguments = Sequence[str]


def apply(operator: str, value: str, arguments: Arguments) -> str:
    """The value after the operator; unknown ones provide a default. Raises `ValueError` without any value in it."""
    return _OPERATORS.get(operator, _default)(value, arguments)


def _default(value: str, arguments: Arguments) -> str:
    return value or "".join(arguments)


def _length(value: str, arguments: Arguments) -> str:
    return str(len(value.encode()))


def _lower(value: str, arguments: Arguments) -> str:
    return "".join(map(_lowered, value))


def _upper(value: str, arguments: Arguments) -> str:
    return "".join(map(_raised, value))


def _lower_first(value: str, arguments: Arguments) -> str:
    return _lowered(value[:1]) + value[1:]


def _upper_first(value: str, arguments: Arguments) -> str:
    return _raised(value[:1]) + value[1:]


def _lowered(character: str) -> str:
    """One character stays one."""
    return changed if len(changed := character.lower()) == len(character) else character


def _raised(character: str) -> str:
    return changed if len(changed := character.upper()) == len(character) else character


def _substring(value: str, arguments: Arguments) -> str:
    """Offset and length; what is no number leaves the value as it is."""
    if not all(_INTEGER.fullmatch(argument) for argument in arguments):
        return value
    content = value.encode()
    start = int(arguments[0])
    start = max(start + len(content), 0) if start < 0 else start
    end = start + int(arguments[1]) if len(arguments) > 1 else len(content)
    if start >= len(content):
        return ""
    if end < start:
        raise ValueError("the length is negative")
    try:
        return content[start:end].decode()
    except UnicodeDecodeError:
        raise ValueError("the part begins or ends inside a character; offsets count bytes") from None


def _replace(count: int) -> Callable[[str, Arguments], str]:
    def replace(value: str, arguments: Arguments) -> str:
        return value.replace(arguments[0], "".join(arguments[1:]), count)

    return replace


def _replace_prefix(value: str, arguments: Arguments) -> str:
    fits = len(arguments) == 2 and value.startswith(arguments[0])
    return value.replace(arguments[0], arguments[1], 1) if fits else value


def _replace_suffix(value: str, arguments: Arguments) -> str:
    fits = len(arguments) == 2 and value.endswith(arguments[0])
    return value.removesuffix(arguments[0]) + arguments[1] if fits else value


def _trim(*, longest: bool, backwards: bool = False) -> Callable[[str, Arguments], str]:
    """Remove what a pattern matches at one end; the end is trimmed as the beginning of the reversed text, as in Flux."""

    def trim(value: str, arguments: Arguments) -> str:
        if len(value) > MAX_TRIMMED:
            raise ValueError(f"a value of more than {MAX_TRIMMED:,} characters cannot be trimmed")
        text, pattern = (value[::-1], arguments[0][::-1]) if backwards else (value, arguments[0])
        if (compiled := _glob(pattern)) is None:
            return value
        ends = range(len(text), 0, -1) if longest else range(1, len(text) + 1)
        at = next((end for end in ends if compiled.fullmatch(text, 0, end)), 0)
        return text[at:][::-1] if backwards else text[at:]

    return trim


@lru_cache(maxsize=256)
def _glob(pattern: str) -> re.Pattern[str] | None:
    """A shell pattern as an expression without backtracking; None for a malformed one."""
    chunks = [""]
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            chunks.append("")
        elif character == "?":
            chunks[-1] += "."
        elif character == "[":
            if (found := _set(pattern, at)) is None:
                return None
            at, part = found
            chunks[-1] += part
        else:
            if character == "\\":
                if at == len(pattern):
                    return None
                character = pattern[at]
                at += 1
            chunks[-1] += re.escape(character)
    first, *middle = chunks
    last = f".*{middle.pop()}" if middle else ""
    return re.compile(f"(?s:{first}{''.join(f'(?>.*?{chunk})' for chunk in middle)}{last})")


def _set(pattern: str, at: int) -> tuple[int, str] | None:
    """A set of characters that begins at a place: where it ends, and its expression; None for a malformed one."""
    negated = pattern[at : at + 1] == "^"
    at += negated
    ranges: list[str] = []
    while pattern[at : at + 1] != "]" or not ranges:
        if (low := _member(pattern, at)) is None:
            return None
        at, first = low
        second = first
        if pattern[at] == "-":
            if (high := _member(pattern, at + 1)) is None:
                return None
            at, second = high
        ranges.append(f"{re.escape(first)}-{re.escape(second)}" if first <= second else "")
    inside = "".join(ranges)
    if not inside:
        return at + 1, "." if negated else r"(?!)"
    return at + 1, f"[{'^' if negated else ''}{inside}]"


def _member(pattern: str, at: int) -> tuple[int, str] | None:
    """One character of a set, with what may stand behind it; None where the pattern ends or a sign stands alone."""
    if pattern[at : at + 1] in {"", "-", "]"}:
        return None
    at += pattern[at] == "\\"
    return (at + 1, pattern[at]) if at + 1 < len(pattern) else None


_OPERATORS: dict[str, Callable[[str, Arguments], str]] = {
    "length": _length,
    ",": _lower_first,
    ",,": _lower,
    "^": _upper_first,
    "^^": _upper,
    ":": _substring,
    "/": _replace(1),
    "//": _replace(-1),
    "/#": _replace_prefix,
    "/%": _replace_suffix,
    "#": _trim(longest=False),
    "##": _trim(longest=True),
    "%": _trim(longest=False, backwards=True),
    "%%": _trim(longest=True, backwards=True),
}

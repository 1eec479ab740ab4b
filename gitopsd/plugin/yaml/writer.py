"""The writer: JSON-like values to block-style YAML as kubectl and kustomize print it.

Lists inside maps stand at their key's column, texts of several lines are literal blocks, lines are never broken.
Whatever is written reads back equal. It takes values of programs, so what JSON cannot say is a TypeError or
ValueError, not a `YamlError`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from gitopsd.plugin.yaml import folding, quoting

_LONGEST_KEY = 128  # longer keys need the `? ` form; readers look no further for the colon
_INTEGER_BITS = 1023
_KNOWN_TEXTS = 10_000
_KNOWN_LENGTH = 64  # longer texts seldom come twice, and would only fill memory


def write(value: Any, *, sort_keys: bool = False) -> str:
    """Write one document: None, booleans, numbers, texts, and lists, tuples and dicts of them; keys are texts.

    Maps keep their order, or are sorted by key. A value of another type is a TypeError; infinity, NaN and half a
    surrogate pair are a ValueError.
    """
    return _Writer(sort_keys=sort_keys).document(value)


def write_all(values: Iterable[Any], *, sort_keys: bool = False) -> str:
    """Write a stream: the documents of `write` with `---` between them."""
    writer = _Writer(sort_keys=sort_keys)
    return "---\n".join(writer.document(value) for value in values)


def print_all(values: Iterable[Any]) -> str:
    """Write a stream byte for byte as kustomize prints it: for people and comparisons, as not every reader takes it all."""
    writer = _Printer()
    return "---\n".join(writer.document(value) for value in values)


class _Writer:
    """Collects lines; a line's lead is the indentation, or the dashes before the first entry of a nested list."""

    __slots__ = ("_lines", "_sort_keys", "_texts")

    def __init__(self, *, sort_keys: bool) -> None:
        self._sort_keys = sort_keys
        self._lines: list[str] = []
        self._texts: dict[str, str] = {}

    def document(self, value: Any) -> str:
        self._lines = []
        if value and isinstance(value, dict):
            self._mapping(value, "", "")
        elif value and isinstance(value, list | tuple):
            self._sequence(value, "", "")
        else:
            self._lines.append(self._scalar(value, ""))
        self._lines.append("")
        return "\n".join(self._lines)

    def _order(self, keys: Iterable[str]) -> Iterable[str]:
        return sorted(keys)

    def _mapping(self, mapping: dict[str, Any], lead: str, indent: str) -> None:
        """Write the entries of a map that is not empty; the first line begins with `lead`, the others with `indent`."""
        add, texts = self._lines.append, self._texts.get
        for key in self._order(mapping) if self._sort_keys else mapping:
            value = mapping[key]
            name = texts(key) or self._key(key, indent)
            if type(value) is str:
                add(f"{lead}{name}: {texts(value) or self._text(value, indent)}")
            elif isinstance(value, dict) and value:
                add(f"{lead}{name}:")
                inner = f"{indent}  "
                self._mapping(value, inner, inner)
            elif isinstance(value, (list, tuple)) and value:
                add(f"{lead}{name}:")
                self._sequence(value, indent, indent)
            else:
                add(f"{lead}{name}: {self._scalar(value, indent)}")
            lead = indent

    def _sequence(self, sequence: list[Any] | tuple[Any, ...], lead: str, indent: str) -> None:
        """Write the items of a list that is not empty; a list or map in it begins on the line of its dash."""
        add, texts = self._lines.append, self._texts.get
        inner = f"{indent}  "
        for value in sequence:
            if type(value) is str:
                add(f"{lead}- {texts(value) or self._text(value, indent)}")
            elif isinstance(value, dict) and value:
                self._mapping(value, f"{lead}- ", inner)
            elif isinstance(value, (list, tuple)) and value:
                self._sequence(value, f"{lead}- ", inner)
            else:
                add(f"{lead}- {self._scalar(value, indent)}")
            lead = indent

    def _key(self, key: object, indent: str) -> str:
        """Spell a key; what needs more than one short line takes the `? ` form."""
        if not isinstance(key, str):
            raise TypeError(f"a key is of type {type(key).__name__}; YAML for Kubernetes has only texts as keys")
        if len(key) <= _KNOWN_LENGTH:
            spelled = quoting.name(str(key))
            self._remember(key, spelled)
        else:
            spelled = quoting.inline(str(key))
        return spelled if len(spelled) <= _LONGEST_KEY else f"? {spelled}\n{indent}"

    def _scalar(self, value: Any, indent: str) -> str:
        """Spell what is neither a filled list nor a filled map."""
        if value is None:
            return "null"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str):
            return self._text(str(value), indent)
        if isinstance(value, int):
            return _integer(int(value))
        if isinstance(value, float):
            return _float(float(value))
        if isinstance(value, dict):
            return "{}"
        if isinstance(value, list | tuple):
            return "[]"
        raise TypeError(f"a value is of type {type(value).__name__}, which YAML for Kubernetes cannot hold")

    def _text(self, text: str, indent: str) -> str:
        """Spell a text inside a list or map at `indent`."""
        if "\n" in text and (block := quoting.block(text, f"{indent}  ")) is not None:
            return block
        spelled = quoting.inline(text)
        self._remember(text, spelled)
        return spelled

    def _remember(self, text: str, spelled: str) -> None:
        """Keep how a short text is spelled: within one stream words come again and again."""
        if len(text) <= _KNOWN_LENGTH and len(self._texts) < _KNOWN_TEXTS:
            self._texts[text] = spelled


class _Printer(_Writer):
    """Writes as kustomize's own emitter does."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(sort_keys=True)
        self._texts.update((mark, mark) for mark in quoting.MARKS)

    def document(self, value: Any) -> str:
        super().document(value)
        return "\n".join(map(folding.wrapped, self._lines))

    def _order(self, keys: Iterable[str]) -> Iterable[str]:
        return folding.sorted_keys(keys)


def _integer(value: int) -> str:
    if value.bit_length() > _INTEGER_BITS:
        raise ValueError("an integer is beyond the range of a float, and would read back as text")
    return str(value)


def _float(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError("infinity and NaN have no place in JSON")
    return repr(value)

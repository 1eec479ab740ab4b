"""YAML files: several documents, comments kept, scalars as Go's YAML reads and writes them.

SOPS writes neither anchors nor tags nor flow style, so that what it encrypted has none. A comment belongs to what comes
after it in the same map or list; one behind the last entry belongs to its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from yaml import events as parsed
from yaml.error import MarkedYAMLError, YAMLError

from gitopsd.plugin.yaml import KUSTOMIZE, events, timestamps
from gitopsd_plugins.sops.document import Branch, Comment, Moment, Part, SopsError
from gitopsd_plugins.sops.formats import yamlwriter

MAX_DEPTH = 100
_UNREADABLE = "is no YAML, at line {line}; was it cut off?"


def load(data: bytes) -> list[Part]:
    """Read all documents. Raises `SopsError` naming the line."""
    try:
        found = list(_Reader(data).documents())
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise SopsError(_UNREADABLE.format(line=line)) from None  # the cause would quote what stands there
    except (YAMLError, UnicodeError):
        raise SopsError("is no YAML") from None
    return [Part.of(whole) for whole in found]


def dump(branches: list[Branch]) -> bytes:
    """Write all documents as `sops --decrypt` does."""
    return "---\n".join(map(yamlwriter.document, branches)).encode()


class _Reader:
    """Builds branches from the parser's events; `_comments` are those that no map or list has taken yet, in order."""

    def __init__(self, data: bytes) -> None:
        self._next = events.source(data)
        self._lines = data.decode("utf-8-sig").splitlines()
        self._comments: list[tuple[int, int, str]] = []
        self._scanned = 0

    def documents(self) -> Iterator[Branch]:
        while (event := self._next()) is not None:
            if isinstance(event, parsed.DocumentStartEvent):
                value = self._value(self._some(), 0)
                branch = value if isinstance(value, Branch) else Branch()
                if value is not None and not isinstance(value, Branch):
                    raise SopsError("a document that is no map cannot be encrypted")
                end = self._some()
                self._take(branch, end, 0)
                yield branch

    def _some(self) -> Any:
        event = self._next()
        if event is None:
            raise SopsError("ends in the middle")
        return event

    def _value(self, event: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise SopsError(f"line {event.start_mark.line + 1}: nested more than {MAX_DEPTH} deep")
        match event:
            case parsed.ScalarEvent():
                return self._scalar(event)
            case parsed.MappingStartEvent():
                return self._mapping(event, depth)
            case parsed.SequenceStartEvent():
                return self._sequence(event, depth)
        raise SopsError(f"line {event.start_mark.line + 1}: an alias; SOPS writes none")

    def _mapping(self, start: Any, depth: int) -> Branch:
        branch, known = Branch(), set[str]()
        while not isinstance(event := self._some(), parsed.MappingEndEvent):
            if not isinstance(event, parsed.ScalarEvent):
                raise SopsError(f"line {events.place(event)[0]}: a key that is no text")
            if event.value in known:
                raise SopsError(f"line {events.place(event)[0]}: a key comes twice in one map")
            known.add(event.value)
            self._take(branch, event, 0)
            inner = self._some()
            value = self._value(inner, depth + 1)
            if isinstance(inner, parsed.ScalarEvent) and (behind := self._behind(inner)):
                branch.append((behind, None))
            branch.append((event.value, value))
        self._take(branch, event, start.start_mark.column)
        return branch

    def _sequence(self, start: Any, depth: int) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := self._some(), parsed.SequenceEndEvent):
            found.extend(self._taken(event, 0))
            value = self._value(event, depth + 1)
            if isinstance(event, parsed.ScalarEvent) and (behind := self._behind(event)):
                found.append(behind)
            found.append(value)
        found.extend(self._taken(event, start.start_mark.column))
        return found

    def _scalar(self, event: Any) -> Any:
        last = event.end_mark.line if event.style in ("|", ">") else event.end_mark.line + 1
        self._scan(event.start_mark.line)
        self._scanned = max(self._scanned, last)  # a '#' inside of it is no comment
        if event.style or not event.implicit[0]:
            return event.value
        moment = timestamps.canonical(event.value)
        return Moment(moment) if moment else KUSTOMIZE.resolve(event.value)

    def _behind(self, event: Any) -> Comment | None:
        mark = event.end_mark
        if event.style in ("|", ">") or mark.line >= len(self._lines):
            return None
        rest = self._lines[mark.line][mark.column :].strip()
        return Comment(rest[1:], inline=True) if rest.startswith("#") else None

    def _take(self, branch: Branch, before: Any, column: int) -> None:
        branch.extend((comment, None) for comment in self._taken(before, column))

    def _taken(self, before: Any, column: int) -> list[Comment]:
        """The comments in front of an event that stand at this column or further in."""
        line = before.start_mark.line
        self._scan(line)
        taken = [c for c in self._comments if c[0] < line and c[1] >= column]
        self._comments = [c for c in self._comments if c not in taken]
        return [Comment(text) for _, _, text in taken]

    def _scan(self, end: int) -> None:
        """Note the lines up to this one that are comments."""
        for number in range(self._scanned, min(end, len(self._lines))):
            text = self._lines[number].strip()
            if text.startswith("#"):
                self._comments.append((number, len(self._lines[number]) - len(self._lines[number].lstrip()), text[1:]))
        self._scanned = max(self._scanned, end)

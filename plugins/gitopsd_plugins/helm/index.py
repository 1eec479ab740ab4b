"""Reads a repository's index as it streams by: chart after chart, nothing of it whole in memory.

YAML is taken event by event, and only the few fields that are kept are ever made into values. An index that begins with a
brace is JSON, read chart by chart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from yaml.error import YAMLError
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from gitopsd.plugin.yaml import events
from gitopsd_plugins.helm import entries, json_index
from gitopsd_plugins.helm.entries import Entry, malformed

MAX_CHARTS = 100_000
MAX_VERSIONS = 50_000
MAX_DEPTH = 100
KEPT = frozenset({"version", "urls", "digest", "created"})

Chart = tuple[str, list[Entry]]


def charts(stream: BinaryIO) -> Iterator[Chart]:
    """Name and versions of each chart. Raises `Rejected` for what is no index."""
    first = stream.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    stream.seek(0)
    yield from _counted(json_index.charts(stream) if first == b"{" else _Walk(stream).charts())


def _counted(found: Iterator[Chart]) -> Iterator[Chart]:
    names: set[str] = set()
    for name, versions in found:
        if name in names:
            raise malformed(f"the chart {name[:100]!r} stands in it twice")
        if len(names) >= MAX_CHARTS:
            raise malformed(f"more than {MAX_CHARTS:,} charts; split the repository")
        if len(name) > 250:
            raise malformed("the name of a chart has more than 250 characters")
        names.add(name)
        yield name, versions


class _Walk:
    """One look at the YAML."""

    def __init__(self, stream: BinaryIO) -> None:
        self._next = events.source(stream)

    def charts(self) -> Iterator[Chart]:
        """Every chart below `entries`."""
        known = False
        for key, value in self._document():
            if key == "apiVersion":
                known = isinstance(value, ScalarEvent) and bool(value.value)
                self._skip(value)
            elif key == "entries":
                yield from self._entries(value)
            else:
                self._skip(value)
        if not known:
            raise malformed("it has no apiVersion")

    def _document(self) -> Iterator[tuple[str, Event]]:
        event = self._event()
        while not isinstance(event, MappingStartEvent):
            if isinstance(event, ScalarEvent | SequenceStartEvent | StreamEndEvent | DocumentEndEvent):
                raise malformed("it is no YAML object")
            event = self._event()
        yield from self._pairs()

    def _entries(self, event: Event) -> Iterator[Chart]:
        if isinstance(event, ScalarEvent) and event.value in {"", "~", "null"}:
            return
        if not isinstance(event, MappingStartEvent):
            raise malformed("its entries are no object")
        for name, value in self._pairs():
            yield name, list(self._versions(name, value))

    def _versions(self, name: str, event: Event) -> Iterator[Entry]:
        if not isinstance(event, SequenceStartEvent):
            self._skip(event)
            return
        count = 0
        while not isinstance(event := self._event(), SequenceEndEvent):
            count += 1
            if count > MAX_VERSIONS:
                raise malformed(f"more than {MAX_VERSIONS:,} versions of the chart {name[:100]!r}; remove old ones")
            if not isinstance(event, MappingStartEvent):
                self._skip(event)
            elif (found := entries.entry(self._fields())) is not None:
                yield found

    def _fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for key, value in self._pairs():
            if key in KEPT and key not in fields:
                fields[key] = self._value(value)
            else:
                self._skip(value)
        return fields

    def _value(self, event: Event) -> Any:
        """Texts and lists of texts; a list is cut where no honest one ends."""
        match event:
            case ScalarEvent(value=text):
                return text
            case SequenceStartEvent():
                return self._texts()
            case AliasEvent():
                raise malformed("an alias in the place of a value")
        self._skip(event)
        return None

    def _texts(self) -> list[str]:
        found: list[str] = []
        while not isinstance(event := self._event(), SequenceEndEvent):
            if isinstance(event, ScalarEvent) and len(found) < entries.MAX_URLS:
                found.append(event.value)
            else:
                self._skip(event)
        return found

    def _pairs(self) -> Iterator[tuple[str, Event]]:
        """Keys and the events that begin their values, which the caller takes whole."""
        while not isinstance(key := self._event(), MappingEndEvent):
            if not isinstance(key, ScalarEvent):
                raise malformed("a key that is no text")
            yield key.value, self._event()

    def _skip(self, event: Event) -> None:
        depth = 0
        while True:
            if isinstance(event, MappingStartEvent | SequenceStartEvent):
                depth += 1
            elif isinstance(event, MappingEndEvent | SequenceEndEvent):
                depth -= 1
            if depth == 0:
                return
            if depth > MAX_DEPTH:
                raise malformed(f"nested deeper than {MAX_DEPTH}; write it anew with `helm repo index`")
            event = self._event()

    def _event(self) -> Event:
        try:
            event = self._next()
        except YAMLError as error:
            raise malformed(_problem(error)) from error
        if event is None or isinstance(event, StreamEndEvent):
            raise malformed("it ends too early")
        return event


def _problem(error: YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    what = str(getattr(error, "problem", None) or "it is no YAML")[:200]
    return f"line {mark.line + 1}: {what}" if mark else what

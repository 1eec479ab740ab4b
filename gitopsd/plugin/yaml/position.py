"""Where in a text a node stands, found by a second pass over the events.

Only errors ask, so that reading keeps no positions and pays nothing for them. Merge keys and aliases are not
followed: what they bring stands elsewhere, and the place that names them is the one to show.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from yaml.error import YAMLError
from yaml.events import (
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from gitopsd.plugin.yaml import events, keys, tags
from gitopsd.plugin.yaml.dialect import KUBERNETES, Dialect
from gitopsd.plugin.yaml.events import NextEvent


def locate(
    data: bytes | str, path: Sequence[str | int], *, document: int = 0, dialect: Dialect = KUBERNETES
) -> tuple[int, int]:
    """Return the line and column, from 1, of the node at `path` in the document of that index in `read_all`'s list.

    In a map that is where its key stands, in a list where the item begins. What does not exist is answered with its
    deepest ancestor that does, a document that does not exist with line 1, column 1. A broken text is a `YamlError`.
    """
    encoded = events.encoded(data, "")
    try:
        return _Search(events.source(encoded), dialect).find(path, document)
    except YAMLError as error:
        raise events.translate(error, encoded, "") from error


def spelling(
    data: bytes | str, path: Sequence[str | int], *, document: int = 0, dialect: Dialect = KUBERNETES
) -> str | None:
    """The scalar at `path` of a readable text as it is spelled; None where none stands there itself.

    What an alias or a merge key brings stands elsewhere. `document` counts as in `locate`.
    """
    event = _Search(events.source(events.encoded(data, "")), dialect).node(path, document)
    return event.value if isinstance(event, ScalarEvent) else None


def first_key(data: bytes, start: Event, key: str, dialect: Dialect) -> tuple[int, int]:
    """Return the line and column at which the map that begins with the event `start` first says `key`."""
    next_event = events.source(data)
    for event in iter(next_event, None):
        if isinstance(event, MappingStartEvent) and events.place(event) == events.place(start):
            found = _Search(next_event, dialect).child(event, key)
            return events.place(found[0] if found else event)
    return events.place(start)


class _Search:
    """Goes forward through the events of one text, into the nodes of a path and past all others."""

    __slots__ = ("_dialect", "_source")

    def __init__(self, source: NextEvent, dialect: Dialect) -> None:
        self._source = source
        self._dialect = dialect

    def find(self, path: Sequence[str | int], document: int) -> tuple[int, int]:
        """Return the place of what `path` names, or of its deepest ancestor."""
        root = self._root(document)
        if root is None:
            return 1, 1
        where, node = root, root
        for step in path:
            found = self.child(node, step)
            if found is None:
                break
            where, node = found
        return events.place(where)

    def node(self, path: Sequence[str | int], document: int) -> Event | None:
        """Return the first event of what `path` names."""
        found = self._root(document)
        for step in path:
            below = self.child(found, step) if found is not None else None
            found = below[1] if below is not None else None
        return found

    def child(self, parent: Event, step: str | int) -> tuple[Event, Event] | None:
        """Go to the child of `parent`, whose start was just read; return the event that names it and its own first."""
        if isinstance(parent, MappingStartEvent):
            return self._value(str(step))
        if isinstance(parent, SequenceStartEvent) and isinstance(step, int):
            return next(((item, item) for index, item in enumerate(self._items()) if index == step), None)
        return None

    def _root(self, document: int) -> Event | None:
        """Go to the first node of the document with that index, empty ones not counted."""
        for event in iter(self._source, None):
            if not isinstance(event, DocumentStartEvent) or events.is_empty(root := self._next()):
                continue
            if document == 0:
                return root
            document -= 1
            self._skip(root)
        return None

    def _value(self, name: str) -> tuple[Event, Event] | None:
        """Go to the value of the key called `name` in the map that was entered."""
        members = self._items()
        for key in members:
            text = self._key_text(key)
            value = next(members)
            if text == name:
                return key, value
        return None

    def _items(self) -> Iterator[Event]:
        """Yield the first event of each node up to the end of the list or map; what is inside one is passed over."""
        while not isinstance(event := self._next(), CollectionEndEvent):
            yield event
            self._skip(event)

    def _skip(self, event: Event) -> None:
        """Pass over the rest of the node that `event` begins."""
        depth = int(isinstance(event, CollectionStartEvent))
        while depth:
            event = self._next()
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)

    def _key_text(self, event: Event) -> str | None:
        """Return a scalar key's text; None for a key that only a whole reading could resolve, or that none takes."""
        if not isinstance(event, ScalarEvent):
            return None
        plain, quoted = event.implicit
        if quoted or event.tag == tags.TEXT:
            return event.value
        resolve = self._dialect.resolve
        try:
            return keys.text(resolve(event.value) if plain else tags.value(event.tag or "", event.value, self._dialect))
        except ValueError:
            return None

    def _next(self) -> Event:
        event = self._source()
        assert event is not None  # the parser ends with an event of its own, and we stop before it
        return event

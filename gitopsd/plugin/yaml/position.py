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

from gitopsd.plugin.yaml import events, keys, scalars, tags
from gitopsd.plugin.yaml.events import NextEvent


def locate(data: bytes | str, path: Sequence[str | int], *, document: int = 0) -> tuple[int, int]:
    """Return the line and column, from 1, of the node at `path` in the document of that index in `read_all`'s list.

    In a map that is where its key stands, in a list where the item begins. What does not exist is answered with its
    deepest ancestor that does, a document that does not exist with line 1, column 1. A broken text is a `YamlError`.
    """
    encoded = events.encoded(data, "")
    try:
        return _find(events.source(encoded), path, document)
    except YAMLError as error:
        raise events.translate(error, encoded, "") from error


def first_key(data: bytes, start: Event, key: str) -> tuple[int, int]:
    """Return the line and column at which the map that begins with the event `start` first says `key`."""
    next_event = events.source(data)
    for event in iter(next_event, None):
        if isinstance(event, MappingStartEvent) and events.place(event) == events.place(start):
            found = _child(next_event, event, key)
            return events.place(found[0] if found else event)
    return events.place(start)


def _find(next_event: NextEvent, path: Sequence[str | int], document: int) -> tuple[int, int]:
    root = _root(next_event, document)
    if root is None:
        return 1, 1
    where, node = root, root
    for step in path:
        found = _child(next_event, node, step)
        if found is None:
            break
        where, node = found
    return events.place(where)


def _root(next_event: NextEvent, document: int) -> Event | None:
    """Go to the first node of the document with that index, empty ones not counted."""
    for event in iter(next_event, None):
        if not isinstance(event, DocumentStartEvent):
            continue
        root = _expect(next_event)
        if events.is_empty(root):
            continue
        if document == 0:
            return root
        document -= 1
        _skip(next_event, root)
    return None


def _child(next_event: NextEvent, parent: Event, step: str | int) -> tuple[Event, Event] | None:
    """Go to the child of `parent`, whose start was just read; return the event that names it and its own first event."""
    if isinstance(parent, MappingStartEvent):
        return _value(next_event, str(step))
    if isinstance(parent, SequenceStartEvent) and isinstance(step, int):
        return next(((item, item) for index, item in enumerate(_items(next_event)) if index == step), None)
    return None


def _value(next_event: NextEvent, name: str) -> tuple[Event, Event] | None:
    """Go to the value of the key called `name` in the map that was entered."""
    members = _items(next_event)
    for key in members:
        text = _key_text(key)
        value = next(members)
        if text == name:
            return key, value
    return None


def _items(next_event: NextEvent) -> Iterator[Event]:
    """Yield the first event of each node up to the end of the list or map; what is inside a node is passed over."""
    while not isinstance(event := _expect(next_event), CollectionEndEvent):
        yield event
        _skip(next_event, event)


def _skip(next_event: NextEvent, event: Event) -> None:
    """Pass over the rest of the node that `event` begins."""
    depth = int(isinstance(event, CollectionStartEvent))
    while depth:
        event = _expect(next_event)
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)


def _key_text(event: Event) -> str | None:
    """Return a scalar key's text; None for a key that only a whole reading could resolve, or that none would take."""
    if not isinstance(event, ScalarEvent):
        return None
    plain, quoted = event.implicit
    if quoted:
        return event.value
    try:
        return keys.text(scalars.resolve(event.value) if plain else tags.value(event.tag or "", event.value))
    except ValueError:
        return None


def _expect(next_event: NextEvent) -> Event:
    event = next_event()
    assert event is not None  # the parser ends with an event of its own, and we stop before it
    return event

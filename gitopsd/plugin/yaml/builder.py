"""Events to values: plain dicts and lists that nothing shares, so that a caller may change them in place.

The loops below are the hot path of every render, which is why they spell out what could be one call: a plain
scalar costs no function call, a key is resolved once per stream, and positions are only looked at in errors. The
recursion is one frame a level, two where there is an anchor, and ends at `Limits.max_depth`, well before Python's own.

Merge keys (`<<`) never replace a key that the map writes itself, wherever it stands: YAML's rule, and kustomize's.
Go's v2 library lets a merge win over keys written above it, which no one who writes it means.
"""

from __future__ import annotations

import math
from typing import Any, Final, NoReturn

from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from gitopsd.plugin.yaml import dialect as dialects
from gitopsd.plugin.yaml import events, keys, scalars, tags
from gitopsd.plugin.yaml.dialect import Dialect
from gitopsd.plugin.yaml.errors import YamlError
from gitopsd.plugin.yaml.events import NextEvent
from gitopsd.plugin.yaml.limits import FEW, MOST_COPIES, Limits
from gitopsd.plugin.yaml.scalars import Scalar

_MERGE: Final = "<<"
_KNOWN_KEYS = 10_000  # how many key texts one stream may keep resolved
_SHOWN = 80  # how much of a name a message shows
_OPEN: Final = object()  # what an anchor stands for while its own list or map is being built


class DuplicateKey(Exception):  # noqa: N818 - it never leaves the package; the reader turns it into a YamlError
    """A map says `key` twice; `start` is the map's first event, `event` the second key's."""

    def __init__(self, key: str, start: Event, event: Event) -> None:
        super().__init__(key)
        self.key = key
        self.start = start
        self.event = event


class Builder:
    """Builds the documents of one stream, one after the other, within one set of limits.

    `blanks` are the places of the last document, map and key, whose null is not written out.
    """

    __slots__ = (
        "_aliased",
        "_anchors",
        "_dialect",
        "_file",
        "_keys",
        "_max_aliased",
        "_max_depth",
        "_max_nodes",
        "_next",
        "_nodes",
        "_unique_keys",
        "blanks",
    )

    def __init__(
        self, next_event: NextEvent, *, size: int, file: str, limits: Limits, dialect: Dialect, unique_keys: bool
    ) -> None:
        self._next = next_event
        self._file = file
        self._max_depth = limits.max_depth
        self._max_nodes = limits.max_nodes
        self._max_aliased = min(limits.max_aliased, max(FEW, MOST_COPIES * size))
        self._dialect = dialect
        self._unique_keys = unique_keys
        self._keys: dict[str, str] = {}
        self._anchors: dict[str, Any] = {}
        self._nodes = 0
        self._aliased = 0
        self.blanks: list[tuple[dict[str, Any], str]] = []

    def document(self) -> tuple[Any, Event] | None:
        """Build the next document; return it with its first event, or None at the end of the stream."""
        while (event := self._next()) is not None:
            if isinstance(event, DocumentStartEvent):
                self._anchors.clear()
                self.blanks = []
                root = self._next()
                assert root is not None  # a document has a node, if only an empty scalar
                value = self._node(root, 1)
                if self._aliased > (bound := max(FEW, MOST_COPIES * self._nodes)):
                    self._grown(bound, root)
                return value, root
            if isinstance(event, StreamEndEvent):
                return None
        return None

    def _node(self, event: Event | None, depth: int) -> Any:
        """Build any node: the way of everything that the two loops do not do themselves."""
        if isinstance(event, AliasEvent):
            return self._copy(self._target(event), depth, event)
        assert isinstance(event, NodeEvent)  # the parser's grammar has nothing else here
        if event.anchor is not None:
            self._anchors[event.anchor] = _OPEN
        value: Any
        if isinstance(event, MappingStartEvent):
            value = self._mapping(event, depth)
        elif isinstance(event, SequenceStartEvent):
            value = self._sequence(event, depth)
        else:
            assert isinstance(event, ScalarEvent)
            value = self._value(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _mapping(self, start: Event, depth: int) -> dict[str, Any]:  # noqa: C901 - the hot loop, see above
        """Build a map from the events after its start."""
        if depth > self._max_depth:
            self._too_deep(start)
        next_event, known, words, numeric = self._next, self._keys.get, self._dialect.words.get, scalars.NUMERIC
        found: dict[str, Any] = {}
        merged: set[str] | None = None
        while type(event := next_event()) is not MappingEndEvent:
            if type(event) is ScalarEvent and event.implicit[0] and event.anchor is None and event.tag is None:
                key = known(event.value)
            else:
                key = None
            if key is None and (key := self._key(event)) is None:
                merged = self._merge(found, merged or set(), depth)
                continue
            if key in found:
                self._again(key, merged, start, event)
            event = next_event()
            if type(event) is ScalarEvent and event.anchor is None:
                plain, quoted = event.implicit
                text = event.value
                if quoted and event.style != ">":
                    found[key] = text
                elif plain and event.tag is None and text[:1] not in numeric:
                    found[key] = words(text, text)
                    if not text:
                        self.blanks.append((found, key))
                else:
                    found[key] = self._value(event)
            elif type(event) is MappingStartEvent and event.anchor is None:
                found[key] = self._mapping(event, depth + 1)
            elif type(event) is SequenceStartEvent and event.anchor is None:
                found[key] = self._sequence(event, depth + 1)
            else:
                found[key] = self._node(event, depth + 1)
        self._nodes += 1 + 2 * len(found)
        if self._nodes > self._max_nodes:
            self._too_many(start)
        return found

    def _sequence(self, start: Event, depth: int) -> list[Any]:
        """Build a list from the events after its start."""
        if depth > self._max_depth:
            self._too_deep(start)
        next_event, words, numeric = self._next, self._dialect.words.get, scalars.NUMERIC
        found: list[Any] = []
        append = found.append
        while type(event := next_event()) is not SequenceEndEvent:
            if type(event) is ScalarEvent and event.anchor is None:
                plain, quoted = event.implicit
                text = event.value
                if quoted and event.style != ">":
                    append(text)
                elif plain and event.tag is None and text[:1] not in numeric:
                    append(words(text, text))
                else:
                    append(self._value(event))
            elif type(event) is MappingStartEvent and event.anchor is None:
                append(self._mapping(event, depth + 1))
            elif type(event) is SequenceStartEvent and event.anchor is None:
                append(self._sequence(event, depth + 1))
            else:
                append(self._node(event, depth + 1))
        self._nodes += 1 + len(found)
        if self._nodes > self._max_nodes:
            self._too_many(start)
        return found

    def _scalar(self, event: ScalarEvent) -> Scalar:
        """Resolve a scalar of any style and tag; infinity and NaN pass, as a key may be one."""
        plain, quoted = event.implicit
        if quoted or event.tag == tags.TEXT:
            return event.value if event.style != ">" else self._dialect.folded(event.value)
        if plain:
            return self._dialect.resolve(event.value)
        try:
            return tags.value(event.tag or "", event.value, self._dialect)
        except ValueError as error:
            self._fail(str(error), "mend the value or drop the tag", event, error)

    def _value(self, event: ScalarEvent) -> Scalar:
        """Resolve a scalar that is no key, and refuse what JSON cannot say."""
        value = self._scalar(event)
        if type(value) is float and not math.isfinite(value):
            self._fail("infinity and NaN have no place in JSON", "write a number, or quote it as text", event)
        if self._dialect.through_json and ((event.tag is None and event.implicit[0]) or type(value) is not str):
            return dialects.through_json(value)
        return value

    def _key(self, event: Event | None) -> str | None:
        """Return a key's text, None for a merge key."""
        if type(event) is ScalarEvent and event.implicit[0] and event.anchor is None and event.tag is None:
            text = event.value
            if text[:1] not in scalars.NUMERIC and text not in self._dialect.words and text != _MERGE:  # a plain name
                if len(self._keys) < _KNOWN_KEYS:
                    self._keys[text] = text
                return text
        if isinstance(event, AliasEvent):
            value = self._target(event)
        elif isinstance(event, ScalarEvent):
            if event.value == _MERGE and (event.implicit[0] or event.tag == tags.MERGE):
                return None
            value = self._scalar(event)
        else:
            value = _OPEN
        if not isinstance(value, Scalar):
            self._fail("a list or map cannot be a key", "write a text as key", event)
        try:
            key = keys.text(value)
        except ValueError as error:
            self._fail(str(error), 'name the key, or write it as "null"', event, error)
        self._remember(event, value, key)
        return key

    def _remember(self, event: Event | None, value: Scalar, key: str) -> None:
        """Keep what a scalar key was resolved to, for its anchor and for the next map that has it."""
        if not isinstance(event, ScalarEvent):
            return
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        elif event.implicit[0] and event.tag is None and len(self._keys) < _KNOWN_KEYS:
            self._keys[event.value] = key

    def _again(self, key: str, merged: set[str] | None, start: Event, event: Event | None) -> None:
        """Let a map's own key replace a merged one, and refuse it when the map has said it before."""
        if merged and key in merged:
            merged.remove(key)
        elif self._unique_keys:
            assert event is not None
            raise DuplicateKey(key, start, event)

    def _merge(self, found: dict[str, Any], merged: set[str], depth: int) -> set[str]:
        """Add the keys of the map or maps that follow and return all that were merged so far.

        Within one list of maps the first wins, among several merges the last.
        """
        event = self._next()
        value = self._node(event, depth + 1)
        maps = value if isinstance(value, list) else [value]
        if not all(isinstance(each, dict) for each in maps):
            self._fail("a merge key (<<) takes a map or a list of maps", 'quote it ("<<") when it is a name', event)
        added = {key: each[key] for each in reversed(maps) for key in each if key not in found or key in merged}
        found.update(added)
        return merged.union(added)

    def _target(self, event: AliasEvent) -> Any:
        """Return what an alias stands for."""
        name = event.anchor or ""
        if name not in self._anchors:
            self._fail(f"anchor {name[:_SHOWN]!r} is not defined above", "define it in the same document", event)
        if self._anchors[name] is _OPEN:
            self._fail(f"anchor {name[:_SHOWN]!r} contains itself", "write the value out", event)
        return self._anchors[name]

    def _copy(self, value: Any, depth: int, event: Event) -> Any:
        """Copy what an alias stands for, within the budget: a bomb ends here."""
        self._aliased += 1
        if self._aliased > self._max_aliased:
            self._grown(self._max_aliased, event)
        if not isinstance(value, dict | list):
            return value
        if depth > self._max_depth:
            self._too_deep(event)
        if isinstance(value, list):
            return [self._copy(each, depth + 1, event) for each in value]
        return {key: self._copy(each, depth + 1, event) for key, each in value.items()}

    def _grown(self, bound: int, event: Event) -> NoReturn:
        self._fail(f"aliases grow to more than {bound:,} values", "write fewer aliases", event)

    def _too_deep(self, event: Event) -> NoReturn:
        self._fail(f"lists and maps are more than {self._max_depth} deep", "nest less", event)

    def _too_many(self, event: Event) -> NoReturn:
        self._fail(f"the text has more than {self._max_nodes:,} values", "split the file", event)

    def _fail(self, what: str, remedy: str, event: Event | None, cause: Exception | None = None) -> NoReturn:
        assert event is not None
        line, column = events.place(event)
        raise YamlError(what, remedy=remedy, line=line, column=column, file=self._file) from cause

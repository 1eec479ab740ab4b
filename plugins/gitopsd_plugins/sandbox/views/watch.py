"""Watches: each is a bounded queue of lines that the store's events fill; who reads it too slowly is cut off.

It knows what a watch shows of an event: an object that starts or stops to match the selector is ADDED or DELETED. It
knows no HTTP; the server writes the lines out.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from msgspec import Struct, field

from gitopsd_plugins.sandbox.facts.resources import Resource
from gitopsd_plugins.sandbox.storage.store import CollectionKey, Event, Stored, encode
from gitopsd_plugins.sandbox.views import views
from gitopsd_plugins.sandbox.views.selectors import Predicate
from gitopsd_plugins.sandbox.views.views import View

BACKLOG = 10_000
"""Lines that may wait for a slow reader."""


class Watcher(Struct, eq=False):
    """One open watch. `ended` says that nothing more will come."""

    resource: Resource
    namespace: str = ""
    selects: Predicate | None = None
    view: View = views.whole
    lines: deque[bytes] = field(default_factory=deque)
    filled: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False

    def offer(self, event: Event) -> None:
        """Queue what the watch shows of an event, if anything."""
        if self.namespace and event.last.key[0] != self.namespace:
            return
        shown = self._kind(event)
        if shown:
            stored = _left(event) if shown == "DELETED" and event.after is not None else event.last
            self.push(views.event(shown, self.view(self.resource, stored)))

    def _kind(self, event: Event) -> str:
        before = event.before is not None and self._matches(event.before)
        after = event.after is not None and self._matches(event.after)
        if before and after:
            return "MODIFIED"
        return "ADDED" if after else "DELETED" if before else ""

    def _matches(self, stored: Stored) -> bool:
        return self.selects is None or self.selects(stored.body)

    def push(self, line: bytes) -> None:
        """Queue a line; a reader that is too far behind is cut off."""
        if len(self.lines) >= BACKLOG:
            self.end()
        if not self.ended:
            self.lines.append(line)
            self.filled.set()

    def end(self) -> None:
        """Nothing more comes; lines that wait are still sent."""
        self.ended = True
        self.filled.set()

    def take(self) -> bytes:
        """All lines that wait."""
        taken = b"".join(self.lines)
        self.lines.clear()
        self.filled.clear()
        return taken

    def catch_up(self, events: Iterable[Event]) -> None:
        """Queue past events."""
        for event in events:
            self.offer(event)

    def begin_with(self, objects: Iterable[Stored]) -> None:
        """Queue the present state as ADDED events."""
        for stored in objects:
            if self._matches(stored):
                self.push(views.event("ADDED", self.view(self.resource, stored)))

    def bookmark(self, version: int, *, initial_end: bool = False) -> None:
        """Queue a bookmark; `initial_end` marks that the initial state is complete."""
        metadata: dict[str, object] = {"resourceVersion": str(version)}
        if initial_end:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        body = encode({"kind": self.resource.kind, "apiVersion": self.resource.api_version, "metadata": metadata})
        self.push(views.event("BOOKMARK", body))


def _left(event: Event) -> Stored:
    """What a watch shows of an object that its selector no longer selects: the last state that it did, at this version."""
    before = event.before
    assert before is not None
    body = {**before.body, "metadata": {**before.metadata, "resourceVersion": str(event.version)}}
    return Stored(before.collection, before.key, body, event.version)


class Watchers(Struct):
    """All open watches, by collection."""

    open: dict[CollectionKey, list[Watcher]] = field(default_factory=dict)

    def notify(self, event: Event) -> None:
        """Offer an event to the watches of its collection."""
        for watcher in self.open.get(event.collection, ()):
            watcher.offer(event)

    def add(self, watcher: Watcher) -> None:
        """Take part in events from now on."""
        self.open.setdefault(watcher.resource.key, []).append(watcher)

    def remove(self, watcher: Watcher) -> None:
        """Take part no longer."""
        self.open[watcher.resource.key].remove(watcher)

    def count(self) -> int:
        """How many are open."""
        return sum(len(watchers) for watchers in self.open.values())

    def end_all(self, collection: CollectionKey | None = None) -> None:
        """End the watches of one collection, or all."""
        for key, watchers in self.open.items():
            if collection in (None, key):
                for watcher in watchers:
                    watcher.end()

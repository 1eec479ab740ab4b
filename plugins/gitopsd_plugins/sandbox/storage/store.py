"""Objects in memory: collections, one counter of versions for all of them, and a bounded history of events.

A stored object is never changed in place; a write puts a new dict. Each keeps its JSON once it was asked for, so that
lists, gets and any number of watches send the same bytes. Everything is synchronous: what a caller reads and writes
between two awaits is atomic. It knows no HTTP, no schemas and no rules about objects.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

import msgspec
from msgspec import Struct, field

from gitopsd_plugins.sandbox.facts.schema import Json

CollectionKey = tuple[str, str]
"""Group and plural."""
ObjectKey = tuple[str, str]
"""Namespace ('' for cluster-scoped objects) and name."""

_ENCODER = msgspec.json.Encoder(order="sorted")


def encode(value: object) -> bytes:
    """JSON with sorted keys, as the API server writes maps."""
    return _ENCODER.encode(value)


class Stored(Struct, eq=False, gc=False):
    """One version of one object."""

    collection: CollectionKey
    key: ObjectKey
    body: Json
    """With apiVersion and kind, in the storage version."""
    version: int
    unsettled: bool = False
    """Whether reading it back gives more than was written, so that the next write counts even if it changes nothing."""
    _rest: bytes = b""

    @property
    def rest(self) -> bytes:
        """The JSON without `apiVersion` and `kind`, as items of built-in lists are sent."""
        if not self._rest:
            self._rest = encode({name: item for name, item in self.body.items() if name not in ("apiVersion", "kind")})
        return self._rest

    @property
    def metadata(self) -> Json:
        """The object's metadata."""
        metadata: Json = self.body["metadata"]
        return metadata

    @property
    def uid(self) -> str:
        """The object's uid."""
        return str(self.body["metadata"]["uid"])

    @property
    def doomed(self) -> bool:
        """Whether it is being deleted and waits for finalizers."""
        return "deletionTimestamp" in self.body["metadata"]


class Event(Struct, frozen=True, gc=False):
    """One write. `before` is None for a create, `after` is None for a removal; `last` is what a watch shows then."""

    version: int
    collection: CollectionKey
    before: Stored | None
    after: Stored | None
    last: Stored


Listener = Callable[[Event], None]


class Store(Struct):
    """All objects of one cluster. `history` bounds how far back a watch may start, in events."""

    history: int = 20_000
    version: int = 1
    objects: dict[CollectionKey, dict[ObjectKey, Stored]] = field(default_factory=dict)
    events: deque[Event] = field(default_factory=deque)
    forgotten: int = 0
    """The version of the newest event that the history no longer has."""
    listeners: list[Listener] = field(default_factory=list)
    by_uid: dict[str, Stored] = field(default_factory=dict)

    def get(self, collection: CollectionKey, key: ObjectKey) -> Stored | None:
        """The object, or None."""
        return self.objects.get(collection, {}).get(key)

    def all(self, collection: CollectionKey) -> Iterable[Stored]:
        """All objects of a collection, in no order."""
        return self.objects.get(collection, {}).values()

    def within(self, namespace: str) -> Iterator[Stored]:
        """All objects of a namespace."""
        for held in self.objects.values():
            for (where, _), stored in list(held.items()):
                if where == namespace:
                    yield stored

    def put(self, collection: CollectionKey, key: ObjectKey, body: Json, *, unsettled: bool = False) -> Stored:
        """Create or replace. Sets the resource version in `body`, which the store owns from now on."""
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        stored = Stored(collection, key, body, self.version, unsettled)
        held = self.objects.setdefault(collection, {})
        before = held.get(key)
        held[key] = self.by_uid[stored.uid] = stored
        self._record(Event(self.version, collection, before, stored, stored))
        return stored

    def restore(self, collection: CollectionKey, key: ObjectKey, body: Json, *, unsettled: bool) -> None:
        """Put an object of an earlier process back as it was, without an event."""
        self.drop(collection, key)
        stored = Stored(collection, key, body, int(body["metadata"]["resourceVersion"]), unsettled)
        self.objects.setdefault(collection, {})[key] = self.by_uid[stored.uid] = stored

    def drop(self, collection: CollectionKey, key: ObjectKey) -> None:
        """Take out what an earlier process removed, without an event."""
        if (stored := self.objects.get(collection, {}).pop(key, None)) is not None:
            self.by_uid.pop(stored.uid, None)

    def remove(self, stored: Stored) -> Stored:
        """Delete the object; the answer is its last state, whose resource version is that of the deletion."""
        self.version += 1
        before = self.objects[stored.collection].pop(stored.key)
        self.by_uid.pop(before.uid, None)
        body = {**before.body, "metadata": {**before.metadata, "resourceVersion": str(self.version)}}
        last = Stored(before.collection, before.key, body, self.version)
        self._record(Event(self.version, before.collection, before, None, last))
        return last

    def _record(self, event: Event) -> None:
        self.events.append(event)
        if len(self.events) > self.history:
            self.forgotten = self.events.popleft().version
        for listener in self.listeners:
            listener(event)

    def since(self, version: int, collection: CollectionKey) -> list[Event]:
        """The events of a collection after a version, oldest first. The caller checks `forgotten` before."""
        found = []
        for event in reversed(self.events):
            if event.version <= version:
                break
            if event.collection == collection:
                found.append(event)
        return found[::-1]

    def at(self, version: int, collection: CollectionKey) -> dict[ObjectKey, Stored]:
        """The objects of a collection as they were at a version. The caller checks `forgotten` before."""
        found = dict(self.objects.get(collection, {}))
        for event in reversed(self.since(version, collection)):
            if event.before is None:
                del found[event.last.key]
            else:
                found[event.last.key] = event.before
        return found

    def clear(self) -> None:
        """Drop all objects, without events."""
        self.objects.clear()
        self.by_uid.clear()
        self.version += 1
        self.compact()

    def compact(self) -> None:
        """Forget the whole history: every watch from an older version is answered with 410."""
        self.events.clear()
        self.forgotten = self.version

"""Who refers to whom as owner: an index from an owner's uid to the objects that name it in `ownerReferences`."""

from __future__ import annotations

from msgspec import Struct, field

from gitopsd_plugins.sandbox.storage.store import CollectionKey, Event, ObjectKey, Store, Stored

Key = tuple[CollectionKey, ObjectKey]


def owners_of(stored: Stored) -> list[str]:
    """The uids of an object's owners."""
    references = stored.body["metadata"].get("ownerReferences")
    return [each.get("uid", "") for each in references] if references else []


class Dependants(Struct):
    """The index, kept by the store's events once what is there at the start was noted."""

    keys: dict[str, dict[Key, None]] = field(default_factory=dict)

    def notice(self, event: Event) -> None:
        """Follow one event."""
        key = event.collection, event.last.key
        if event.before is not None:
            for uid in owners_of(event.before):
                self.keys.get(uid, {}).pop(key, None)
        if event.after is not None:
            self.note(event.after)

    def note(self, stored: Stored) -> None:
        """Take in an object as it is, also one that comes back without an event."""
        for uid in owners_of(stored):
            self.keys.setdefault(uid, {})[stored.collection, stored.key] = None

    def of(self, store: Store, uid: str) -> list[Stored]:
        """The objects that an owner has now."""
        found = [store.get(*key) for key in self.keys.get(uid, ())]
        return [each for each in found if each is not None]

"""The store as a plan sees it: content is shared with everybody, what is noted about objects stays in memory and out of sight.

A plan must leave no trace beside a running daemon: no artifact, rendered set, status, generation or row of the ledger. Trees
and files that it fetched are content like any other; nothing refers to them, so they go after the grace period.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from gitopsd.model.change import Applied
from gitopsd.model.digest import Digest
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.manifest import Body, Outline, Rendered
from gitopsd.model.outcome import LedgerRow
from gitopsd.model.tree import Artifact, Polled
from gitopsd.store import status
from gitopsd.store.store import Store


class Aside(Store):
    """Reads through to another open store, which must outlive it and closes by itself."""

    remembers = False

    def __init__(self, of: Store) -> None:
        super().__init__(path=of.path, cache=of._cache, ledger=of._ledger, key=of.key(), warnings=(), now=of._now)
        self._artifacts: dict[ObjectRef, Artifact | None] = {}

    def close(self) -> None:
        """Nothing: the other store is not ours to close."""

    def refer(self, artifact: Artifact, *, keep: int = 3) -> None:
        """Make this the source's artifact, here only."""
        del keep
        self._artifacts[artifact.source] = artifact

    def artifact(self, source: ObjectRef) -> Artifact | None:
        """The source's artifact, as this store has it."""
        if source in self._artifacts:
            return self._artifacts[source]
        return super().artifact(source)

    def forget(self, ref: ObjectRef) -> None:
        """Here the object has no artifact any more."""
        self._artifacts[ref] = None

    def generations(self, specs: Mapping[ObjectRef, Digest]) -> Mapping[ObjectRef, int]:
        """What the generations would be; no count moves."""
        return status.generations_with(self._cache, specs)

    def keep_rendered(self, rendered_set: Rendered, outline: Outline, *, app: ObjectRef, intent: Digest) -> NoReturn:
        """Never: what a plan rendered stays in memory."""
        raise AssertionError(f"{app}: a plan stored what it rendered")

    def keep_applied(self, marks: Mapping[tuple[str, ObjectRef], Mapping[ResourceId, Applied | None]]) -> NoReturn:
        """Never: a plan applies nothing."""
        raise AssertionError("a plan applied something")

    def keep_statuses(self, values: Mapping[ObjectRef, Mapping[str, Any]]) -> NoReturn:
        """Never: what a plan comes to is no status."""
        raise AssertionError("a plan wrote a status")

    def keep_polls(self, values: Mapping[ObjectRef, Polled]) -> NoReturn:
        """Never: what a plan looked at is not what the source declares."""
        raise AssertionError("a plan wrote down when it polled")

    def keep_children(self, values: Mapping[ObjectRef, Sequence[Body]]) -> NoReturn:
        """Never: what a plan rendered declares nothing for others."""
        raise AssertionError("a plan wrote down what apps declare")

    def append(self, rows: Sequence[LedgerRow]) -> NoReturn:
        """Never: a plan changes nothing."""
        raise AssertionError("a plan wrote to the ledger")

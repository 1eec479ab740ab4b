"""Orphans that are to be deleted: as a person asks now, or asked before this process began. What nobody declares has no intent
of its own; here it gets one that only ends it. It decides nothing about objects in the cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from datetime import datetime

from gitopsd.model.declared import AppIntent, Broken, Declared, Deletion, Intent, Place
from gitopsd.model.digest import Digest
from gitopsd.model.identity import ObjectRef
from gitopsd.model.inventory import Inventory
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.plugin.registry import Registry
from gitopsd.reconcile import children
from gitopsd.reconcile.world import Board
from gitopsd.runtime.shown import views

_NOWHERE = Place(file="(orphan)")


class Endings:
    """Changes the board: its intents, its declared objects, its removals."""

    def __init__(self, board: Board, registry: Registry) -> None:
        self._board = board
        self._registry = registry
        self._asked: set[ObjectRef] = set()

    def recall(self, found: Iterable[Inventory], now: datetime) -> Set[ObjectRef]:
        """Know of deletions that were asked for before this process began, and are not carried out yet. As `heard`.

        Apps that are declared again are among the changed: they strike it from their record.
        """
        asked = [record for record in found if record.removal]
        self._asked |= {record.app for record in asked if record.removal and record.removal.holds(now)}
        again = {record.app for record in asked} & self._board.intents.keys() - self._board.removals
        return self._begun() | again

    def heard(self, outcome: Outcome) -> Set[ObjectRef]:
        """Put back an orphan whose time is over, and begin what waited for this outcome; answers with all that changed."""
        if outcome.phase is not Phase.ORPHANED:
            return self._begun()
        self._void(outcome.ref)
        return {outcome.ref}

    def intent(self, orphan: ObjectRef) -> AppIntent:
        """What deletes it, in the cluster where it is on record."""
        record = self._board.inventories[orphan]
        return views.ending(orphan, Deletion.DELETE, self._board.names.get(record.cluster_uid))

    def begin(self, orphan: ObjectRef) -> None:
        """Have an orphan end, or a child that ends already."""
        if orphan not in self._board.intents:
            self._intend(orphan, None)
        self._board.removals.add(orphan)

    def _begun(self) -> Set[ObjectRef]:
        """Begin what was asked for before once every app has rendered: until then, any of them may declare it."""
        board = self._board
        if not self._asked or any(map(self._may_declare, board.intents.values())):
            return frozenset()
        due = self._asked & board.inventories.keys() - board.intents.keys()
        self._asked.clear()
        for orphan in due:
            self.begin(orphan)
        return due

    def _may_declare(self, intent: Intent) -> bool:
        """Something that is not known yet; sources and what is not served declare nothing."""
        known = intent.ref in self._board.renders or intent.ref in self._board.removals
        return isinstance(intent, AppIntent | Broken) and not known

    def _void(self, orphan: ObjectRef) -> None:
        """It is an orphan again, and what it declared with it."""
        board = self._board
        below = [ref for ref, declared in board.declared.items() if declared.parent == orphan]
        for ref in [orphan, *below]:
            if ref in board.declared and board.declared[ref].place == _NOWHERE:
                del board.declared[ref], board.intents[ref]
                board.removals.discard(ref)
        for ref in below:
            self._void(ref)

    def _intend(self, orphan: ObjectRef, parent: ObjectRef | None) -> None:
        board = self._board
        board.declared[orphan] = Declared(ref=orphan, document={}, place=_NOWHERE, spec=Digest("orphan"), parent=parent)
        board.intents[orphan] = self.intent(orphan)
        for id in board.inventories[orphan].owned:
            child = children.ref(id)
            is_app = children.is_declared(id, self._registry) and child in board.inventories
            if is_app and child not in board.intents:
                self._intend(child, orphan)

"""Declared objects that apps render: taken onto the board with their parent, and remembered for the next process.

A child that does not decode is on the board as `Broken`: it says so itself, and its parent says it too. One that holds a value
of a Secret is never written down: the next process knows of it once its parent has rendered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace

from gitopsd.config import home
from gitopsd.config.declared_set import Children, DeclaredSet
from gitopsd.model import digest, masking
from gitopsd.model.declared import Broken, Declared, Intent
from gitopsd.model.identity import ObjectRef
from gitopsd.model.manifest import Body, Manifest
from gitopsd.model.tree import Revision
from gitopsd.plugin.registry import Registry
from gitopsd.reconcile import children
from gitopsd.reconcile.world import Board
from gitopsd.runtime.journal import Journal
from gitopsd.store import Store


class Family:
    """Every child of the moment. Belongs to the event loop."""

    def __init__(self, board: Board, registry: Registry, store: Store, journal: Journal | None) -> None:
        self._board = board
        self._registry = registry
        self._store = store
        self._journal = journal
        """None where nothing is to be written down."""
        self._kept: dict[ObjectRef, Sequence[Body]] = dict(store.children())
        self._of: dict[ObjectRef, Mapping[ObjectRef, Declared]] = {}
        self.remembered: set[ObjectRef] = set()
        """Children that no render of this process has declared yet."""

    def of(self, parent: ObjectRef) -> tuple[ObjectRef, ...]:
        """The objects that an app's render declares, sorted."""
        return tuple(sorted(self._of.get(parent, {})))

    def concerns(self, parent: ObjectRef, manifests: Sequence[Manifest]) -> bool:
        """Whether an app that declares these has children, or had any."""
        return bool(manifests or self._kept.get(parent) or parent in self._of)

    def adopt(self, parent: ObjectRef, manifests: Sequence[Manifest], declared: DeclaredSet) -> tuple[str, ...]:
        """Put the declared objects among an app's manifests on the board; answers with what is wrong with them."""
        self._keep(parent, [m.body for m in manifests if not m.hidden])
        found = home.children(
            [m.body for m in manifests],
            parent=parent,
            known=declared.objects,  # between apps the claims decide
            registry=self._registry,
            settings=declared.settings,
        )
        hidden = {children.ref(m.id): m.hidden for m in manifests if m.hidden}
        self._take(parent, found.objects, hidden)
        self._board.intents.update({ref: _discreet(found.intents[ref], hidden.get(ref)) for ref in found.intents})
        self.remembered -= found.objects.keys()
        self._board.removals -= found.objects.keys()
        mask = masking.discreet(value for values in hidden.values() for value in values)
        return tuple(mask(problem.told) for problem in found.problems)

    def has_read(self, parent: ObjectRef, revision: Revision) -> bool:
        """What the parent declares is what this revision says; answers whether it declares anything."""
        self._board.declaring.pop(parent, None)
        if children := self._of.get(parent):
            self._board.declaring[parent] = (revision, frozenset(children))
        return bool(children)

    def kept(self, parent: ObjectRef) -> Sequence[Body]:
        """What the app's last render declared, in this process or another."""
        return self._kept.get(parent, ())

    def remember(self, known: Mapping[ObjectRef, Declared], intents: Mapping[ObjectRef, Intent]) -> None:
        """Know of these children before their parents have rendered: nobody looks at them, but they can end by their own rules."""
        for ref in known.keys() & intents.keys() - self._board.intents.keys():
            self.remembered.add(ref)
            self._board.declared[ref], self._board.intents[ref] = known[ref], intents[ref]
            if parent := known[ref].parent:
                self._of[parent] = {**self._of.get(parent, {}), ref: known[ref]}

    def employ(self, children: Set[ObjectRef]) -> bool:
        """These are not only remembered any more; answers whether any of them was."""
        before = len(self.remembered)
        self.remembered -= children
        return len(self.remembered) < before

    def forget(self, ref: ObjectRef) -> None:
        """The child is gone."""
        self.remembered.discard(ref)

    def leave(self, parent: ObjectRef) -> Iterable[ObjectRef]:
        """The parent has ended: its children, which are nobody's from now on."""
        return self._of.pop(parent, {})

    def _keep(self, parent: ObjectRef, bodies: Sequence[Body]) -> None:
        if self._journal is not None and self._kept.get(parent, ()) != bodies:
            self._kept[parent] = bodies
            self._journal.note_children(parent, bodies)

    def _take(
        self, parent: ObjectRef, declared: Mapping[ObjectRef, Declared], hidden: Mapping[ObjectRef, frozenset[str]]
    ) -> None:
        kept = {ref: self._sealed(child, hidden.get(ref, frozenset())) for ref, child in declared.items()}
        generations = self._store.generations({ref: child.spec for ref, child in kept.items()})
        self._of[parent] = {ref: replace(child, generation=generations[ref]) for ref, child in kept.items()}
        self._board.declared.update(self._of[parent])

    def _sealed(self, child: Declared, hidden: frozenset[str]) -> Declared:
        """The child with what is secret in it known, and nothing that it could be guessed from."""
        if not hidden:
            return child
        return replace(child, hidden=hidden, spec=digest.of_secret(child.spec, self._store.key()))


def _discreet(intent: Intent, hidden: frozenset[str] | None) -> Intent:
    """What is wrong with a child, without the values of Secrets in it that the message may quote."""
    if not hidden or not isinstance(intent, Broken):
        return intent
    return replace(intent, message=masking.discreet(hidden)(intent.message))


def recalled(
    kept: Mapping[ObjectRef, Sequence[Body]], declared: DeclaredSet, registry: Registry
) -> Mapping[ObjectRef, Children]:
    """What the last renders of the apps declared, by parent, over any number of steps; of apps that are still there."""
    found: dict[ObjectRef, Children] = {}
    todo = sorted(declared.objects)
    while todo:
        parent = todo.pop()
        if parent in kept and parent not in found:
            found[parent] = home.children(
                kept[parent], parent=parent, known=declared.objects, registry=registry, settings=declared.settings
            )
            todo.extend(found[parent].objects)
    return found

"""PURE. Who reads a revision first. An app that another one declares is what that one's newest render says: where both read the
same source, the child waits until its parent has read the revision, so that nothing is applied by a declaration that the same
revision changes or ends.

Waiting is for who looks, or is about to, never for who has looked and failed: a parent that is broken, suspended, or waits for
something that is, holds nobody up. Those who would wait for one another, by whatever way, do not wait at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gitopsd.model.declared import AppIntent
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Phase
from gitopsd.reconcile.world import Board

Restless = Callable[[ObjectRef], bool]
"""Whether somebody looks at an object at this moment, or is about to."""


def awaited(ref: ObjectRef, board: Board, restless: Restless) -> ObjectRef | None:
    """Whose next conclusion an object's look waits for; None: it may look."""
    looks = _Looks(board=board, restless=restless)
    return next((other for other in looks.before(ref) if not looks.waits(other, ref)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looks:
    board: Board
    restless: Restless

    def waits(self, one: ObjectRef, other: ObjectRef) -> bool:
        """Whether one would wait for the other, over any number of steps."""
        seen, todo = {one}, [one]
        while todo:
            for before in self.before(todo.pop()):
                if before == other:
                    return True
                if before not in seen:
                    seen.add(before)
                    todo.append(before)
        return False

    def before(self, ref: ObjectRef) -> Iterator[ObjectRef]:
        """Who is to look before this one, as far as that one's parent knows."""
        app = self.board.intents.get(ref)
        if not isinstance(app, AppIntent) or ref in self.board.removals or app.policy.delete_confirmed:
            return
        artifact = self.board.artifacts.get(app.source)
        line = [app, *self._above(app)]
        parent = next((above for above in line[1:] if above.source == app.source), None)
        if artifact is None or parent is None:
            return
        revision, children = self.board.declaring.get(parent.ref, (None, frozenset()))
        if revision != artifact.revision or children.isdisjoint(above.ref for above in line):
            yield from self._to_look(parent, set())

    def _above(self, app: AppIntent) -> Iterator[AppIntent]:
        seen, at = {app.ref}, self.board.declared[app.ref].parent
        while at is not None and at not in seen and isinstance(above := self.board.intents.get(at), AppIntent):
            yield above
            seen.add(at)
            at = self.board.declared[at].parent

    def _to_look(self, app: AppIntent, seen: set[ObjectRef]) -> Iterator[ObjectRef]:
        """The app, where it looks; where it waits for others, or lets go of nothing before they have looked, those who look."""
        seen.add(app.ref)
        if self.restless(app.ref):
            yield app.ref
            return
        outcome = self.board.outcomes.get(app.ref)
        waits = outcome is not None and outcome.phase is Phase.WAITING
        for ref in sorted({*(app.depends_on if waits else ()), *self.board.holding.get(app.ref, ())} - seen):
            other = self.board.intents.get(ref)
            if isinstance(other, AppIntent) and other.source == app.source:
                yield from self._to_look(other, seen)

"""PURE. Who reads a revision first. An app that another one declares is what that one's newest render says: where both read the
same source, the child waits until its parent has read the revision, so that nothing is applied by a declaration that the same
revision changes or ends.

Waiting is for who is about to look, never for who has looked and failed: a parent that is broken, suspended, or waits for
something that is, holds nobody up. Those who would wait for one another, by whatever way, do not wait at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gitopsd.model.declared import AppIntent
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Phase, Step
from gitopsd.model.tree import Revision
from gitopsd.reconcile.world import Board

Attended = Callable[[ObjectRef], bool]
"""Whether anybody looks at an object at all."""
_LOOKS_NO_MORE = {Phase.SUSPENDED, Phase.ORPHANED, Phase.UNSERVED, Phase.DELETED}


def awaited(ref: ObjectRef, board: Board, attended: Attended) -> ObjectRef | None:
    """Whose next conclusion an object's look waits for; None: it may look."""
    others = _Looks(board=board, attended=attended)
    return next((other for other in others.before(ref) if not others.waits(other, ref)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looks:
    board: Board
    attended: Attended

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
            yield from self._to_look(parent, artifact.revision, set())

    def _above(self, app: AppIntent) -> Iterator[AppIntent]:
        seen, at = {app.ref}, self.board.declared[app.ref].parent
        while at is not None and at not in seen and isinstance(above := self.board.intents.get(at), AppIntent):
            yield above
            seen.add(at)
            at = self.board.declared[at].parent

    def _to_look(self, app: AppIntent, revision: Revision, seen: set[ObjectRef]) -> Iterator[ObjectRef]:
        """The app, where it is about to look at the revision; where it has and waits, those for whom it waits and who are."""
        seen.add(app.ref)
        outcome = self.board.outcomes.get(app.ref)
        if not self.attended(app.ref) or app.ref in self.board.removals:
            return
        if outcome is None or (outcome.attempted is None and outcome.step is Step.ARTIFACT):
            yield app.ref  # there was no revision then; now there is one
        elif outcome.phase in _LOOKS_NO_MORE or outcome.attempted is None:
            return  # it does not come as far as reading anything
        elif outcome.attempted != revision:
            yield app.ref
        elif outcome.phase is Phase.WAITING:
            for ref in app.depends_on:
                needed = self.board.intents.get(ref)
                if isinstance(needed, AppIntent) and needed.source == app.source and ref not in seen:
                    yield from self._to_look(needed, revision, seen)

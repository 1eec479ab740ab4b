"""The drift table of one cluster: how every object should look by its mark, how it looks, and whose it is. Pure.

A mark digests what we own of an object: it changes with every foreign change of a field that we state, and with nothing else.
Our own writes change it too, and their events may come before or after the answers to them. So an object with a write in
flight is not judged; once its new mark is known, events with another mark are taken for older ones, until the event with the
new mark has come or `GRACE` has passed. What is not judged is not shown either: whoever asks then asks the cluster.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from gitopsd.model.change import Sight
from gitopsd.model.identity import ObjectRef, ResourceId

GRACE = 5.0
"""Seconds within which a watch tells what a write did, or has listed what is there."""

GroupKind = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """An object of an app is not as it was applied, or is gone."""

    app: ObjectRef
    id: ResourceId
    gone: bool
    by: str = ""
    """Who changed it, where that is known."""


@dataclass(slots=True, kw_only=True)
class _Expected:
    app: ObjectRef
    mark: str
    """'' where only its absence is drift."""
    drifted: bool = False
    reported: str | None = None
    """The mark that was last reported as drift ('' for gone), so that one change is reported once."""


class DriftTable:
    """What is expected and what was seen in one cluster. `now` is in seconds of any clock that only goes forward."""

    def __init__(self) -> None:
        self._expected: dict[ResourceId, _Expected] = {}
        self._of_app: dict[ObjectRef, frozenset[ResourceId]] = {}
        self._sights: dict[ResourceId, Sight] = {}
        self._writing: set[ResourceId] = set()
        self._until: dict[ResourceId, float] = {}
        self._lost: set[ResourceId] = set()
        self._holding: set[GroupKind] = set()

    def expect(
        self, app: ObjectRef, marks: Mapping[ResourceId, str], now: float, left: Collection[ResourceId] = ()
    ) -> None:
        """All objects of the app and how they look from now on; ends what `writing` began for them.

        `left` are known to look otherwise, and are left so: they stay drifted, and are no news until they change again.
        """
        for id in self._of_app.get(app, frozenset()) - marks.keys():
            self._drop(id, app)
        self._of_app[app] = frozenset(marks)
        for id, mark in marks.items():
            self._writing.discard(id)
            self._until.pop(id, None)
            if id in left:
                seen = self._sights.get(id)
                self._expected[id] = _Expected(app=app, mark=mark, drifted=True, reported=seen.mark if seen else "")
                continue
            self._expected[id] = _Expected(app=app, mark=mark)
            if not self._as_expected(id):
                self._until[id] = now + GRACE

    def forget(self, app: ObjectRef) -> None:
        """The app is gone; its objects are nobody's."""
        for id in self._of_app.pop(app, frozenset()):
            self._drop(id, app)

    def writing(self, ids: Iterable[ResourceId]) -> None:
        """These are not judged until they are expected again."""
        self._writing.update(ids)

    def seen(self, id: ResourceId, sight: Sight | None, now: float) -> Drift | None:
        """A watch saw the object, or that it is gone: drift, if this is news and means that."""
        if sight is None:
            self._sights.pop(id, None)
        else:
            self._sights[id] = sight
            self._lost.discard(id)
        if id in self._writing or id not in self._expected:
            return None
        return self._judged(id, now)

    def hold(self, kind: GroupKind, now: float) -> bool:
        """A watch tells all about this kind from now on; what it does not list soon is gone. True when that is news."""
        if kind in self._holding:
            return False
        self._holding.add(kind)
        self._until |= {id: now + GRACE for id in self._expected if _kind(id) == kind and not self._as_expected(id)}
        return True

    def release(self, kind: GroupKind) -> None:
        """Nobody watches this kind any more: what was seen of it is worth nothing."""
        self._holding.discard(kind)
        self._sights = {id: sight for id, sight in self._sights.items() if _kind(id) != kind}

    def holds(self, kinds: Iterable[GroupKind]) -> bool:
        """True when all these kinds are watched."""
        return self._holding.issuperset(kinds)

    def sight(self, id: ResourceId) -> Sight | None:
        """The object as last seen; None when it was not, or when a write of ours may have changed it since."""
        if id in self._writing or id in self._until:
            return None
        return self._sights.get(id)

    def drifted(self, app: ObjectRef) -> frozenset[ResourceId]:
        """Objects of the app that drifted, and those that no watch shows although one should."""
        return frozenset(id for id in self._of_app.get(app, ()) if id in self._lost or self._expected[id].drifted)

    def drifted_of(self, id: ResourceId) -> ObjectRef | None:
        """The app of this object, if it is drifted now."""
        expected = self._expected.get(id)
        return expected.app if expected and (expected.drifted or id in self._lost) else None

    def overdue_at(self) -> float | None:
        """When `overdue` should be asked next."""
        return min((until for id, until in self._until.items() if _kind(id) in self._holding), default=None)

    def overdue(self, now: float) -> tuple[Drift, ...]:
        """Drift of objects whose time to show up as expected is over."""
        late = [id for id, until in self._until.items() if until <= now and _kind(id) in self._holding]
        return tuple(drift for id in late if id not in self._writing and (drift := self._judged(id, now)))

    def _judged(self, id: ResourceId, now: float) -> Drift | None:
        expected = self._expected[id]
        if self._as_expected(id):
            expected.drifted, expected.reported = False, None
            self._until.pop(id, None)
            return None
        if now < self._until.get(id, now):
            return None
        never_shown = self._until.pop(id, None) is not None and id not in self._sights
        sight = self._sights.get(id)
        mark = sight.mark if sight else ""
        news = expected.reported != mark and id not in self._lost
        expected.drifted, expected.reported = True, mark
        if never_shown:  # reported once; from then on its app is not taken for unchanged without asking the cluster
            self._lost.add(id)
        by = sight.changed_by if sight else ""
        return Drift(app=expected.app, id=id, gone=sight is None, by=by) if news else None

    def _as_expected(self, id: ResourceId) -> bool:
        sight, mark = self._sights.get(id), self._expected[id].mark
        return sight is not None and (not mark or sight.mark == mark)

    def _drop(self, id: ResourceId, app: ObjectRef) -> None:
        self._writing.discard(id)
        if id in self._expected and self._expected[id].app == app:
            del self._expected[id]
            self._until.pop(id, None)
            self._lost.discard(id)


def _kind(id: ResourceId) -> GroupKind:
    return id.group, id.kind

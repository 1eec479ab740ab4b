"""A declared object as the scheduler sees it: when to look, and whose news to listen to. Nothing of what it means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gitopsd.model.declared import AppIntent, Declared, Intent, SourceIntent
from gitopsd.model.digest import Digest
from gitopsd.model.identity import ObjectRef
from gitopsd.runtime.schedule.due import Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """One object with a worker. It begins when its `source` has concluded once; `depends_on` only wakes it."""

    ref: ObjectRef
    spec: Digest
    generation: int
    timing: Timing
    source: ObjectRef | None = None
    depends_on: tuple[ObjectRef, ...] = ()
    closely: frozenset[ObjectRef] = frozenset()
    """Of these every conclusion counts, not only what is news to everybody: an expression may look at anything of theirs."""

    @classmethod
    def of(cls, declared: Declared, intent: Intent) -> Scheduled:
        """The schedule that an intent asks for."""
        return cls(
            ref=declared.ref,
            spec=declared.spec,
            generation=declared.generation,
            timing=_timing(intent),
            source=_begins_after(intent),
            depends_on=_depends_on(intent),
            closely=frozenset(intent.ready_expressions if isinstance(intent, AppIntent) else ()),
        )

    @property
    def listens_to(self) -> frozenset[ObjectRef]:
        """Everything whose news wakes this object."""
        return frozenset(self.depends_on) | ({self.source} if self.source else set())


def needed(every: Mapping[ObjectRef, Scheduled], refs: Iterable[ObjectRef]) -> Iterable[Scheduled]:
    """These of all objects and, over any number of steps, what they listen to."""
    found: dict[ObjectRef, Scheduled] = {}
    todo = list(refs)
    while todo:
        ref = todo.pop()
        if ref in every and ref not in found:
            found[ref] = every[ref]
            todo.extend(every[ref].listens_to)
    return found.values()


def _begins_after(intent: Intent) -> ObjectRef | None:
    match intent:
        case AppIntent():
            return intent.source
        case SourceIntent(reads=(first, *_)):
            return first
    return None


def _depends_on(intent: Intent) -> tuple[ObjectRef, ...]:
    match intent:
        case AppIntent():
            return intent.depends_on
        case SourceIntent():
            return (*intent.reads[1:], *intent.depends_on)
    return ()


def _timing(intent: Intent) -> Timing:
    match intent:
        case AppIntent():
            return Timing(interval=intent.interval.total_seconds(), retry=intent.retry_interval.total_seconds())
        case SourceIntent():
            return Timing(interval=intent.interval.total_seconds(), polls_when_stalled=True)
    return Timing()

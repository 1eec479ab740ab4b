"""Who reads a revision first: a parent before its children, and nobody waits for who will not look, or for itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from fakes.things import AT, SOURCE, app, declared, intent, source
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.model.digest import Digest
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Outcome, Phase, Step
from gitopsd.model.tree import Artifact, Revision
from gitopsd.reconcile import foremost
from gitopsd.reconcile.world import Board

OLD, NEW = Revision(digest="sha1:1", name="main"), Revision(digest="sha1:2", name="main")
CHILD, PARENT, DEPENDENCY, ELSEWHERE = app("child"), app("parent"), app("dependency"), source("elsewhere")


def artifact(ref: ObjectRef = SOURCE) -> Artifact:
    return Artifact(source=ref, revision=NEW, tree=Digest("t"), size=1, files=1, stored=AT, spec=Digest("s"))


def outcome(ref: ObjectRef, attempted: Revision | None = OLD, phase: Phase = Phase.READY) -> Outcome:
    return Outcome(ref=ref, phase=phase, generation=1, started=AT, finished=AT, attempted=attempted)


def board(*outcomes: Outcome, after: Mapping[ObjectRef, tuple[ObjectRef, ...]] | None = None) -> Board:
    """A child, its parent, and what the parent may depend on; all read one source, which offers NEW."""
    made = Board(artifacts={SOURCE: artifact()}, outcomes={o.ref: o for o in outcomes})
    for ref, parent in ((CHILD, PARENT), (PARENT, None), (DEPENDENCY, None)):
        made.intents[ref] = intent(ref, after=(after or {}).get(ref, ()))
        made.declared[ref] = replace(declared(ref), parent=parent)
    return made


def awaited(board: Board, ref: ObjectRef = CHILD, idle: Iterable[ObjectRef] = ()) -> ObjectRef | None:
    return foremost.awaited(ref, board, lambda other: other not in set(idle))


def test_a_child_waits_for_a_parent_that_is_about_to_look() -> None:
    assert awaited(board()) == PARENT
    assert awaited(board(outcome(PARENT))) == PARENT
    assert awaited(board(replace(outcome(PARENT, None, Phase.WAITING), step=Step.ARTIFACT))) == PARENT
    assert awaited(board(), PARENT) is None


def test_it_waits_no_more_when_the_parent_has_declared_it_or_has_looked() -> None:
    declaring = board(outcome(PARENT))
    declaring.declaring[PARENT] = (NEW, frozenset({CHILD}))
    assert awaited(declaring) is None
    assert awaited(board(outcome(PARENT, NEW))) is None
    assert awaited(board(outcome(PARENT, NEW, Phase.RETRYING))) is None


def test_one_that_the_new_revision_does_not_declare_waits_until_its_parent_has_ended_it() -> None:
    dropping = board(outcome(PARENT))
    dropping.declaring[PARENT] = (NEW, frozenset())
    assert awaited(dropping) == PARENT
    dropping.removals.add(CHILD)
    assert awaited(dropping) is None


def test_nobody_waits_for_a_parent_that_will_not_look() -> None:
    assert awaited(board(), idle=[PARENT]) is None
    assert awaited(board(outcome(PARENT, phase=Phase.SUSPENDED))) is None
    for phase in (Phase.RETRYING, Phase.WAITING):
        assert awaited(board(replace(outcome(PARENT, None, phase), step=Step.CONNECT))) is None
    ending = board()
    ending.removals.add(PARENT)
    assert awaited(ending) is None


def test_another_source_has_revisions_of_its_own() -> None:
    other = board()
    other.intents[PARENT] = intent(PARENT, of=ELSEWHERE)
    assert awaited(other) is None
    other.artifacts.clear()
    assert awaited(other) is None


def test_who_is_declared_by_the_way_of_another_source_waits_for_the_nearest_that_reads_its_own() -> None:
    line = board()
    line.intents[PARENT] = intent(PARENT, of=ELSEWHERE)
    line.declared[PARENT] = replace(declared(PARENT), parent=DEPENDENCY)
    assert awaited(line) == DEPENDENCY
    line.declaring[DEPENDENCY] = (NEW, frozenset({PARENT}))
    assert awaited(line) is None


def test_a_parent_that_waits_is_waited_for_as_long_as_its_dependency_is_about_to_look() -> None:
    waiting = outcome(PARENT, NEW, Phase.WAITING)
    after = {PARENT: (DEPENDENCY,)}
    assert awaited(board(waiting, outcome(DEPENDENCY), after=after)) == DEPENDENCY
    assert awaited(board(waiting, outcome(DEPENDENCY, NEW, Phase.RETRYING), after=after)) is None


def test_a_parent_that_depends_on_its_child_is_not_waited_for() -> None:
    waiting = outcome(PARENT, NEW, Phase.WAITING)
    assert awaited(board(waiting, outcome(CHILD), after={PARENT: (CHILD,)})) is None
    assert (
        awaited(board(waiting, outcome(DEPENDENCY), outcome(CHILD), after={PARENT: (DEPENDENCY, CHILD)})) == DEPENDENCY
    )


_APPS = tuple(app(name) for name in "abcde")
_PHASES = st.sampled_from([Phase.READY, Phase.WAITING, Phase.RETRYING, Phase.SUSPENDED])
_LINKS = st.fixed_dictionaries({ref: st.lists(st.sampled_from(_APPS), max_size=2, unique=True) for ref in _APPS})
_PARENTS = st.fixed_dictionaries({ref: st.one_of(st.none(), st.sampled_from(_APPS)) for ref in _APPS})
_REVISIONS = st.sampled_from([None, OLD, NEW])
_OUTCOMES = st.fixed_dictionaries({ref: st.one_of(st.none(), st.tuples(_REVISIONS, _PHASES)) for ref in _APPS})


@given(_PARENTS, _LINKS, _OUTCOMES)
def test_somebody_may_always_look(
    parents: dict[ObjectRef, ObjectRef | None],
    after: dict[ObjectRef, list[ObjectRef]],
    outcomes: dict[ObjectRef, tuple[Revision | None, Phase] | None],
) -> None:
    """Whoever waits, waits for one that may look or waits in turn: however they are declared and depend, it goes on."""
    made = Board(artifacts={SOURCE: artifact()})
    for ref in _APPS:
        made.intents[ref] = intent(ref, after=tuple(after[ref]))
        made.declared[ref] = replace(declared(ref), parent=parents[ref])
        if said := outcomes[ref]:
            made.outcomes[ref] = outcome(ref, *said)
    looking = [ref for ref in _APPS if awaited(made, ref) is None]
    assert looking
    for ref in _APPS:
        seen, at = {ref}, awaited(made, ref)
        while at is not None and (further := awaited(made, at)) is not None:
            assert at not in seen, "they wait for one another"
            seen.add(at)
            at = further

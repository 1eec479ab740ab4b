"""Who reads a revision first: a parent before its children, and nobody waits for who will not look, or for itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fakes.things import AT, SOURCE, app, declared, intent, source
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.model.digest import Digest
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.model.tree import Artifact, Revision
from gitopsd.reconcile import foremost
from gitopsd.reconcile.world import Board

OLD, NEW = Revision(digest="sha1:1", name="main"), Revision(digest="sha1:2", name="main")
CHILD, PARENT, DEPENDENCY, ELSEWHERE = app("child"), app("parent"), app("dependency"), source("elsewhere")


def artifact(ref: ObjectRef = SOURCE) -> Artifact:
    return Artifact(source=ref, revision=NEW, tree=Digest("t"), size=1, files=1, stored=AT, spec=Digest("s"))


def outcome(ref: ObjectRef, phase: Phase) -> Outcome:
    return Outcome(ref=ref, phase=phase, generation=1, started=AT, finished=AT, attempted=NEW)


def board(*outcomes: Outcome, after: Mapping[ObjectRef, tuple[ObjectRef, ...]] | None = None) -> Board:
    """A child, its parent, and what the parent may depend on; all read one source, which offers NEW."""
    made = Board(artifacts={SOURCE: artifact()}, outcomes={o.ref: o for o in outcomes})
    for ref, parent in ((CHILD, PARENT), (PARENT, None), (DEPENDENCY, None)):
        made.intents[ref] = intent(ref, after=(after or {}).get(ref, ()))
        made.declared[ref] = replace(declared(ref), parent=parent)
    return made


def awaited(board: Board, *restless: ObjectRef, ref: ObjectRef = CHILD) -> ObjectRef | None:
    """Whom the object waits for while these look, or are about to; it is about to itself."""
    return foremost.awaited(ref, board, {ref, *restless}.__contains__)


def test_a_child_waits_for_a_parent_that_is_about_to_look() -> None:
    assert awaited(board(), PARENT) == PARENT
    assert awaited(board(), PARENT, ref=PARENT) is None


def test_it_waits_no_more_when_the_parent_has_declared_it_or_has_looked() -> None:
    declaring = board()
    declaring.declaring[PARENT] = (NEW, frozenset({CHILD}))
    assert awaited(declaring, PARENT) is None
    declaring.declaring[PARENT] = (OLD, frozenset({CHILD}))
    assert awaited(declaring, PARENT) == PARENT
    for phase in (Phase.READY, Phase.RETRYING, Phase.SUSPENDED):
        assert awaited(board(outcome(PARENT, phase))) is None


def test_one_that_the_new_revision_does_not_declare_waits_until_its_parent_has_ended_it() -> None:
    dropping = board()
    dropping.declaring[PARENT] = (NEW, frozenset())
    assert awaited(dropping, PARENT) == PARENT
    dropping.removals.add(CHILD)
    assert awaited(dropping, PARENT) is None


def test_a_parent_that_lets_go_of_nothing_before_others_have_looked_has_not_ended_it_yet() -> None:
    holding = board(outcome(PARENT, Phase.READY))
    holding.holding[PARENT] = frozenset({DEPENDENCY})
    assert awaited(holding, DEPENDENCY) == DEPENDENCY
    assert awaited(holding) is None


def test_another_source_has_revisions_of_its_own() -> None:
    other = board()
    other.intents[PARENT] = intent(PARENT, of=ELSEWHERE)
    assert awaited(other, PARENT) is None
    other.artifacts.clear()
    assert awaited(other, PARENT) is None


def test_who_is_declared_by_the_way_of_another_source_waits_for_the_nearest_that_reads_its_own() -> None:
    line = board()
    line.intents[PARENT] = intent(PARENT, of=ELSEWHERE)
    line.declared[PARENT] = replace(declared(PARENT), parent=DEPENDENCY)
    assert awaited(line, PARENT, DEPENDENCY) == DEPENDENCY
    line.declaring[DEPENDENCY] = (NEW, frozenset({PARENT}))
    assert awaited(line, PARENT, DEPENDENCY) is None


def test_a_parent_that_waits_is_waited_for_as_long_as_its_dependency_is_about_to_look() -> None:
    waiting = board(outcome(PARENT, Phase.WAITING), after={PARENT: (DEPENDENCY,)})
    assert awaited(waiting, DEPENDENCY) == DEPENDENCY
    assert awaited(waiting) is None


def test_a_parent_that_depends_on_its_child_is_not_waited_for() -> None:
    waiting = outcome(PARENT, Phase.WAITING)
    assert awaited(board(waiting, after={PARENT: (CHILD,)})) is None
    assert awaited(board(waiting, after={PARENT: (DEPENDENCY, CHILD)}), DEPENDENCY) == DEPENDENCY


_APPS = tuple(app(name) for name in "abcde")
_LINKS = st.fixed_dictionaries({ref: st.lists(st.sampled_from(_APPS), max_size=2, unique=True) for ref in _APPS})
_PARENTS = st.fixed_dictionaries({ref: st.one_of(st.none(), st.sampled_from(_APPS)) for ref in _APPS})
_OUTCOMES = st.fixed_dictionaries({ref: st.sampled_from([Phase.READY, Phase.WAITING]) for ref in _APPS})
_RESTLESS = st.sets(st.sampled_from(_APPS), min_size=1)


@given(_PARENTS, _LINKS, _LINKS, _OUTCOMES, _RESTLESS)
def test_whoever_waits_waits_for_one_that_may_look_in_the_end(
    parents: dict[ObjectRef, ObjectRef | None],
    after: dict[ObjectRef, list[ObjectRef]],
    holding: dict[ObjectRef, list[ObjectRef]],
    outcomes: dict[ObjectRef, Phase],
    restless: set[ObjectRef],
) -> None:
    """However they are declared, depend on and hold for one another, nobody waits in a circle, and only for who looks."""
    made = Board(
        artifacts={SOURCE: artifact()}, holding={ref: frozenset(held) for ref, held in holding.items() if held}
    )
    for ref in _APPS:
        made.intents[ref] = intent(ref, after=tuple(after[ref]))
        made.declared[ref] = replace(declared(ref), parent=parents[ref])
        made.outcomes[ref] = outcome(ref, outcomes[ref])
    for ref in restless:
        seen, at = set[ObjectRef](), foremost.awaited(ref, made, restless.__contains__)
        while at is not None:
            assert at in restless
            assert at not in seen | {ref}
            seen.add(at)
            at = foremost.awaited(at, made, restless.__contains__)

"""Do the declared objects fit together? References that lead nowhere, clusters that nobody declared, cycles. Pure.

A source or a dependency that no file declares may still come out of another app's render. So it is an error only where no
other app could bring it, else a warning, and so it is for kinds that are not served yet (whatever makes an ExternalArtifact
is none of our business); at run time such an app is not ready until the object is there.
"""

from __future__ import annotations

import difflib
import graphlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gitopsd.config.problems import Path, near
from gitopsd.plugin import AppIntent, Intent, ObjectRef, SourceIntent, keys

CLUSTER = ("metadata", "annotations", keys.CLUSTER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """A reference of `ref` that does not fit; `mentioned` is what it names. `certain` is False for a mere warning."""

    ref: ObjectRef
    message: str
    mentioned: ObjectRef | None = None
    path: Path = ()
    certain: bool = True


def dangling(
    intents: Mapping[ObjectRef, Intent], known: Collection[ObjectRef], unserved: Collection[str]
) -> Iterator[Misfit]:
    """References to sources and dependencies that are not in `known`. `unserved` names kinds that are not served yet."""
    bringing = {ref for ref, intent in intents.items() if _may_bring(intent, known)}
    for ref, intent in intents.items():
        brought = len(bringing) > (ref in bringing)
        for target in _targets(intent):
            if target in known:
                continue
            message = f"{target} is not declared"
            if target.kind in unserved:
                message += f", and {target.kind} is not served yet"
            elif brought:
                message += " in the files; waiting until an app brings it"
            else:
                message += _near(target, known)
            yield Misfit(
                ref=ref, message=message, mentioned=target, certain=not brought and target.kind not in unserved
            )


def clusterless(intents: Mapping[ObjectRef, Intent], clusters: Collection[str]) -> Iterator[Misfit]:
    """Apps whose `gitopsd.io/cluster` names a cluster that is not declared."""
    for ref, intent in intents.items():
        if isinstance(intent, AppIntent) and intent.cluster and intent.cluster not in clusters:
            message = f"Cluster/{intent.cluster} is not declared{near(intent.cluster, clusters)}"
            yield Misfit(ref=ref, message=message, path=CLUSTER)


def cyclic(intents: Mapping[ObjectRef, Intent]) -> Iterator[Misfit]:
    """One misfit for each cycle of dependencies, its message the path around it."""
    graph = {ref: set(_targets(intent)) for ref, intent in intents.items()}
    while cycle := _cycle(graph):
        message = f"depends on itself: {' -> '.join(str(ref) for ref in cycle)}; remove one of these dependencies"
        yield Misfit(ref=cycle[0], message=message, mentioned=cycle[1])
        graph = {ref: targets - set(cycle) for ref, targets in graph.items() if ref not in cycle}


def _targets(intent: Intent) -> Iterable[ObjectRef]:
    match intent:
        case AppIntent():
            return dict.fromkeys((intent.source, *intent.depends_on))
        case SourceIntent():
            return dict.fromkeys((*intent.reads, *intent.depends_on))
    return ()


def _may_bring(intent: Intent, known: Collection[ObjectRef]) -> bool:
    return isinstance(intent, AppIntent) and intent.source in known


def _near(target: ObjectRef, known: Collection[ObjectRef]) -> str:
    """A hint at an object of the same kind whose name is close; the namespace may be the mistake."""
    alike = [ref for ref in known if ref.kind == target.kind]
    names = difflib.get_close_matches(target.name, sorted({ref.name for ref in alike}), n=1, cutoff=0.6)
    meant = min((ref for ref in alike if ref.name in names), default=None)
    return f"; did you mean {meant}?" if meant else ""


def _cycle(graph: Mapping[ObjectRef, set[ObjectRef]]) -> Sequence[ObjectRef]:
    """One cycle, its first object again at its end, beginning with the smallest; empty without one."""
    try:
        graphlib.TopologicalSorter({ref: sorted(targets) for ref, targets in graph.items()}).prepare()
    except graphlib.CycleError as error:
        ring = list(error.args[1])[:0:-1]  # graphlib names what comes before first, users read what is needed by whom
        start = ring.index(min(ring))
        return [*ring[start:], *ring[:start], ring[start]]
    return ()

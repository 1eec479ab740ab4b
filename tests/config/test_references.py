from __future__ import annotations

import graphlib
import itertools
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gitopsd.config import mentions, references
from gitopsd.plugin import AppIntent, ObjectRef

SOURCE = ObjectRef(kind="GitRepository", namespace="n", name="source")


def ref(name):
    return ObjectRef(kind="Kustomization", namespace="n", name=name)


def app(name, on):
    minute = timedelta(minutes=1)
    return AppIntent(
        ref=ref(name),
        source=SOURCE,
        renderer="r",
        spec={},
        interval=minute,
        retry_interval=minute,
        timeout=minute,
        prune=True,
        depends_on=tuple(ref(other) for other in on),
    )


graphs = st.dictionaries(st.sampled_from("abcdefg"), st.sets(st.sampled_from("abcdefg"), max_size=3)).map(
    lambda graph: {ref(name): app(name, sorted(on)) for name, on in graph.items()}
)


@given(graphs)
def test_a_cycle_is_a_real_path_back_to_its_begin(intents):
    for misfit in references.cyclic(intents):
        path = misfit.message.removeprefix("depends on itself: ").split(";")[0].split(" -> ")
        assert path[0] == path[-1] == str(misfit.ref)
        assert len(set(path)) == len(path) - 1
        for one, other in itertools.pairwise(path):
            assert ObjectRef.parse(other) in intents[ObjectRef.parse(one)].depends_on


@given(graphs)
def test_a_cycle_is_found_exactly_where_there_is_one(intents):
    graph = {one: set(intent.depends_on) for one, intent in intents.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError:
        assert list(references.cyclic(intents))
    else:
        assert not list(references.cyclic(intents))


def test_a_reference_is_found_where_it_is_written():
    document = {
        "metadata": {"annotations": {"gitopsd.io/depends-on": "GitRepository/n/x"}},
        "spec": {"a": [{"name": "b"}, {"kind": "Other", "name": "c"}, {"kind": "Kustomization", "name": "c"}]},
    }
    assert mentions.find(document, ref("b")) == ("spec", "a", 0)
    assert mentions.find(document, ref("c")) == ("spec", "a", 2)
    assert mentions.find(document, ref("x")) == ("metadata", "annotations", "gitopsd.io/depends-on")
    assert mentions.find(document, ref("nowhere")) == ()

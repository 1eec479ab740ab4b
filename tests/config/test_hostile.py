"""Whatever the files say, the answer is a declared set or a `ConfigError`, never another error."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitopsd.config import documents, home
from gitopsd.config.problems import ConfigError
from gitopsd.config.settings import Settings
from gitopsd.plugin import ObjectRef, registry

scalar = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
value = st.recursive(scalar, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3))
word = st.sampled_from(
    ["a", "app", "flux-system", "GitRepository", "Kustomization/a", "1m", "9" * 30 + "h", "", "\n", "../x"]
)


def mostly(strategy):
    """The right sort of value most of the time."""
    return st.one_of(strategy, strategy, strategy, value)


reference = st.fixed_dictionaries({}, optional={"name": mostly(word), "kind": mostly(word), "namespace": mostly(word)})
keys = st.sampled_from(["gitopsd.io/depends-on", "gitopsd.io/cluster", "gitopsd.io/adopt", "gitopsd.io/x", "b"])
metadata = st.fixed_dictionaries(
    {"name": mostly(word)},
    optional={
        "namespace": mostly(word),
        "annotations": mostly(st.dictionaries(keys, mostly(word))),
        "labels": mostly(st.dictionaries(word, word)),
    },
)
spec = st.fixed_dictionaries(
    {},
    optional={
        "interval": mostly(word),
        "url": mostly(word),
        "prune": mostly(st.booleans()),
        "sourceRef": mostly(reference),
        "dependsOn": mostly(st.lists(reference, max_size=2)),
        "kinds": mostly(st.lists(word, max_size=2)),
        "limits": mostly(st.dictionaries(st.sampled_from(["fetches", "workerMemory"]), mostly(word))),
        "sandbox": value,
        "kubeconfig": mostly(st.dictionaries(st.just("path"), mostly(word))),
    },
)
kinds = st.sampled_from(
    [
        ("source.toolkit.fluxcd.io/v1", "GitRepository"),
        ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
        ("gitopsd.io/v1alpha1", "Settings"),
        ("gitopsd.io/v1alpha1", "Cluster"),
        ("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
        ("v1", "Secret"),
        ("v1", "ConfigMap"),
        ("v1", "List"),
    ]
)


@st.composite
def document(draw):
    api_version, kind = draw(kinds)
    found = {"apiVersion": api_version, "kind": kind, "metadata": draw(mostly(metadata)), "spec": draw(mostly(spec))}
    if kind in {"Secret", "ConfigMap", "List"}:
        del found["spec"]
        found[draw(st.sampled_from(["data", "stringData", "binaryData", "items"]))] = draw(value)
    return found


BUILTIN = registry.load()


def problems(file):
    try:
        home.declare(documents.gather([file]), BUILTIN)
    except ConfigError as error:
        return [problem.place for problem in error.problems]
    return []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(mostly(document()), max_size=5))
def test_files_end_in_a_set_or_in_problems_with_places(tmp_path, found):
    file = tmp_path / "a.yaml"
    file.write_text("\n---\n".join(json.dumps(one) for one in found))
    assert all(place.line > 0 for place in problems(file))


@settings(max_examples=60)
@given(st.lists(document(), max_size=4))
def test_rendered_objects_never_raise(found):
    parent = ObjectRef(kind="Kustomization", namespace="a", name="a")
    home.children(found, parent=parent, known={}, registry=BUILTIN, settings=Settings())


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_end_in_problems(tmp_path, content):
    file = tmp_path / "a.yaml"
    file.write_bytes(content)
    assert all(place.file == str(file) for place in problems(file))

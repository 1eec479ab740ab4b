"""Rendered sets by what they were made of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitopsd.model.digest import Digest, of_bytes
from gitopsd.model.identity import ObjectRef
from gitopsd.model.manifest import Manifest, Outline, Read, Rendered
from gitopsd.store import Store

APP = ObjectRef(kind="Kustomization", namespace="flux-system", name="app")
INTENT = of_bytes(b"intent")


def rendered(name: str, kind: str = "ConfigMap", data: object = None) -> Rendered:
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "default"}, "data": data or {}}
    reads = (Read(path="a.yaml", digest=of_bytes(b"a")), Read(path="missing"), Read(path="", listing=True))
    return Rendered(manifests=(Manifest.of(body),), reads=reads, warnings=("careful",))


def keep(store: Store, name: str, *, intent: Digest = INTENT, **made: object) -> Outline:
    """Keep a set that was made of what `name` says."""
    one = rendered(name, **made)  # type: ignore[arg-type]  # what `rendered` takes
    outline = replace(Outline.of(intent, one), key=of_bytes(name.encode()))
    store.keep_rendered(one, outline, app=APP, intent=intent)
    return outline


def test_a_set_comes_back_as_it_was(store: Store) -> None:
    values = {"z": 1, "a": [True, None, 1.5, -0.0, 10**30, "é\n"], "m": {}}
    outline = keep(store, "one", data=values)

    found = store.rendered(outline.key)

    assert found == rendered("one", data=values).manifests
    assert found
    assert list(found[0].body["data"]) == ["z", "a", "m"]
    assert isinstance(found[0].body["data"]["a"][4], int)


def test_the_outline_of_the_last_set_of_an_intent_is_found(store: Store) -> None:
    keep(store, "1")
    last = keep(store, "2")

    assert store.outline(APP, INTENT) == last
    assert store.outline(APP, of_bytes(b"another")) is None


def test_a_set_that_is_kept_again_is_the_last(store: Store) -> None:
    kept = [keep(store, name) for name in ("1", "2", "1")]

    assert store.outline(APP, INTENT) == kept[0]


def test_old_sets_and_those_of_old_intents_go(store: Store) -> None:
    old = keep(store, "old", intent=of_bytes(b"old"))
    kept = [keep(store, name) for name in ("1", "2", "3", "4")]

    assert store.rendered(old.key) is None
    assert [outline for outline in kept if store.rendered(outline.key)] == kept[1:]


def test_a_set_with_a_secret_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="Secret"):
        keep(store, "one", kind="Secret")

    assert store.outline(APP, INTENT) is None


def test_forgetting_an_app_drops_its_sets(store: Store) -> None:
    outline = keep(store, "one")

    store.forget(APP)

    assert store.outline(APP, INTENT) is None
    assert store.rendered(outline.key) is None


def test_an_outline_tells_what_a_set_was_made_of_and_what_it_wants() -> None:
    one, other = (Outline.of(INTENT, rendered(name)) for name in ("one", "other"))

    assert one == Outline.of(INTENT, rendered("one"))
    assert one.key == other.key != Outline.of(of_bytes(b"another"), rendered("one")).key
    assert one.digest != other.digest
    assert one.ids == tuple(m.id for m in rendered("one").manifests)
    assert (one.reads, one.warnings) == (rendered("one").reads, ("careful",))

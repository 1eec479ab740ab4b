"""Rendered sets by what they were made of."""

from __future__ import annotations

import pytest

from gitopsd.model.digest import Digest, of_bytes
from gitopsd.model.identity import ObjectRef
from gitopsd.model.manifest import Manifest, Read, Rendered
from gitopsd.store import Store

APP = ObjectRef(kind="Kustomization", namespace="flux-system", name="app")
INTENT = of_bytes(b"intent")


def rendered(name: str, kind: str = "ConfigMap", data: object = None) -> Rendered:
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "default"}, "data": data or {}}
    reads = (Read(path="a.yaml", digest=of_bytes(b"a")), Read(path="missing"), Read(path="", listing=True))
    return Rendered(manifests=(Manifest.of(body),), reads=reads, warnings=("careful",))


def key(name: str) -> Digest:
    return of_bytes(name.encode())


def test_a_set_comes_back_as_it_was(store: Store) -> None:
    values = {"z": 1, "a": [True, None, 1.5, -0.0, 10**30, "é\n"], "m": {}}
    store.keep_rendered(key("1"), rendered("one", data=values), app=APP, intent=INTENT)

    found = store.rendered(key("1"))

    assert found == rendered("one", data=values)
    assert found
    assert list(found.manifests[0].body["data"]) == ["z", "a", "m"]
    assert isinstance(found.manifests[0].body["data"]["a"][4], int)


def test_the_last_set_of_an_intent_is_found(store: Store) -> None:
    for name in ("1", "2"):
        store.keep_rendered(key(name), rendered(name), app=APP, intent=INTENT)

    assert store.last_rendered(APP, INTENT) == (key("2"), rendered("2"))
    assert store.last_rendered(APP, of_bytes(b"another")) is None


def test_a_set_that_is_kept_again_is_the_last(store: Store) -> None:
    for name in ("1", "2", "1"):
        store.keep_rendered(key(name), rendered(name), app=APP, intent=INTENT)

    assert store.last_rendered(APP, INTENT) == (key("1"), rendered("1"))


def test_old_sets_and_those_of_old_intents_go(store: Store) -> None:
    store.keep_rendered(key("old"), rendered("old"), app=APP, intent=of_bytes(b"old"))
    for name in ("1", "2", "3", "4"):
        store.keep_rendered(key(name), rendered(name), app=APP, intent=INTENT)

    assert store.rendered(key("old")) is None
    assert [name for name in "1234" if store.rendered(key(name))] == ["2", "3", "4"]


def test_a_set_with_a_secret_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="Secret"):
        store.keep_rendered(key("1"), rendered("one", kind="Secret"), app=APP, intent=INTENT)

    assert store.rendered(key("1")) is None


def test_forgetting_an_app_drops_its_sets(store: Store) -> None:
    store.keep_rendered(key("1"), rendered("one"), app=APP, intent=INTENT)

    store.forget(APP)

    assert store.last_rendered(APP, INTENT) is None

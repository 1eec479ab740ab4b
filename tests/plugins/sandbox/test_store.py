"""The store: what it held at any version of its history."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitopsd_plugins.sandbox.storage.store import Store

MAPS, SECRETS = ("", "configmaps"), ("", "secrets")
WRITES = st.lists(st.tuples(st.sampled_from([MAPS, SECRETS]), st.sampled_from("abc"), st.booleans()), max_size=30)


@given(WRITES)
def test_at_any_version_a_collection_is_as_it_was_then(writes: list[tuple[tuple[str, str], str, bool]]) -> None:
    store = Store()
    seen = {store.version: dict(store.objects.get(MAPS, {}))}
    for collection, name, removes in writes:
        if removes and (stored := store.get(collection, ("ns", name))) is not None:
            store.remove(stored)
        else:
            store.put(collection, ("ns", name), {"metadata": {"name": name, "uid": f"{collection[1]}-{name}"}})
        seen[store.version] = dict(store.objects.get(MAPS, {}))
    assert {version: store.at(version, MAPS) for version in seen} == seen

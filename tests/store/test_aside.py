"""The store as a plan sees it: content is shared, nothing else is written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gitopsd.model.digest import of_bytes
from gitopsd.model.identity import ObjectRef
from gitopsd.model.tree import Artifact, Changes, Revision
from gitopsd.plugin.tree import Content
from gitopsd.store import Store
from gitopsd.store.aside import Aside

SOURCE = ObjectRef(kind="GitRepository", namespace="flux-system", name="app")
APP = ObjectRef(kind="Kustomization", namespace="flux-system", name="app")
ONE, OTHER = of_bytes(b"1"), of_bytes(b"2")


def artifact(store: Store, content: bytes) -> Artifact:
    (file,) = store.add([Content(data=content)])
    stored = store.put(Changes(entries={"file": file}))
    return Artifact(
        source=SOURCE, revision=Revision(digest=of_bytes(content)), tree=stored.tree, size=stored.size, files=stored.files,
        stored=datetime(2026, 1, 1, tzinfo=UTC), spec=ONE,
    )  # fmt: skip


def test_an_artifact_is_referred_to_aside_only(store: Store) -> None:
    kept, aside = artifact(store, b"kept"), Aside(store)
    store.refer(kept)
    assert aside.artifact(SOURCE) == kept
    new = artifact(aside, b"new")
    aside.refer(new)
    assert (aside.artifact(SOURCE), store.artifact(SOURCE)) == (new, kept)
    assert store.node(new.tree).keys() == {"file"}
    aside.forget(SOURCE)
    assert (aside.artifact(SOURCE), store.artifact(SOURCE)) == (None, kept)
    aside.close()
    assert store.artifact(SOURCE) == kept


def test_generations_are_told_and_not_counted(store: Store) -> None:
    aside = Aside(store)
    assert aside.generations({APP: ONE}) == {APP: 1}
    store.generations({APP: ONE})
    for _ in range(2):
        assert aside.generations({APP: ONE, SOURCE: ONE}) == {APP: 1, SOURCE: 1}
        assert aside.generations({APP: OTHER}) == {APP: 2}
    assert store.generations({APP: ONE}) == {APP: 1}


def test_what_a_plan_must_not_write_is_a_bug(store: Store) -> None:
    aside = Aside(store)
    with pytest.raises(AssertionError, match="status"):
        aside.keep_statuses({APP: {}})
    with pytest.raises(AssertionError, match="polled"):
        aside.keep_polls({})
    with pytest.raises(AssertionError, match="ledger"):
        aside.append([])
    with pytest.raises(AssertionError, match="applied"):
        aside.keep_applied({})

"""Which trees a source stands at and stood at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from gitopsd.model.digest import of_bytes
from gitopsd.model.errors import Transient
from gitopsd.model.identity import ObjectRef
from gitopsd.model.tree import Artifact, Changes, Revision
from gitopsd.plugin.tree import Content
from gitopsd.store import Store

APP = ObjectRef(kind="GitRepository", namespace="flux-system", name="app")
OTHER = ObjectRef(kind="GitRepository", namespace="flux-system", name="other")


@pytest.fixture
def artifact(store: Store) -> Callable[..., Artifact]:
    def make(content: str, source: ObjectRef = APP, **fields: Any) -> Artifact:
        (file,) = store.add([Content(data=content.encode())])
        stored = store.put(Changes(entries={"file": file}))
        return Artifact(
            source=source,
            revision=Revision(name="main", digest=f"sha1:{content}"),
            tree=stored.tree,
            size=stored.size,
            files=stored.files,
            stored=datetime(2026, 1, 1, 12, 30, tzinfo=UTC),
            spec=fields.get("spec", of_bytes(b"spec")),
            metadata=fields.get("metadata", {"oid": content}),
        )

    return make


def test_a_source_without_artifact_has_none(store: Store) -> None:
    assert store.artifact(APP) is None
    assert store.artifacts(APP) == ()


def test_the_latest_artifact_is_the_sources(store: Store, artifact: Callable[..., Artifact]) -> None:
    store.refer(artifact("one"))
    store.refer(artifact("two"))
    store.refer(artifact("three", OTHER))

    assert store.artifact(APP) == artifact("two")
    assert store.artifacts(APP) == (artifact("two"), artifact("one"))


def test_only_so_many_are_kept(store: Store, artifact: Callable[..., Artifact]) -> None:
    for name in ("one", "two", "three", "four"):
        store.refer(artifact(name), keep=2)

    assert store.artifacts(APP) == (artifact("four"), artifact("three"))


def test_a_revision_that_comes_back_is_the_latest_again(store: Store, artifact: Callable[..., Artifact]) -> None:
    for name in ("one", "two", "one"):
        store.refer(artifact(name))

    assert store.artifacts(APP) == (artifact("one"), artifact("two"))


def test_the_same_revision_replaces_its_memo(store: Store, artifact: Callable[..., Artifact]) -> None:
    store.refer(artifact("one"))
    store.refer(artifact("one", metadata={"etag": "new"}))

    assert [found.metadata for found in store.artifacts(APP)] == [{"etag": "new"}]


def test_a_tree_that_is_not_stored_is_refused(store: Store, artifact: Callable[..., Artifact]) -> None:
    stored = artifact("one")
    missing = Artifact(
        source=APP,
        revision=stored.revision,
        tree=of_bytes(b"missing"),
        size=0,
        files=0,
        stored=stored.stored,
        spec=stored.spec,
    )

    with pytest.raises(Transient, match="not in the store"):
        store.refer(missing)


def test_forgetting_drops_only_that_source(store: Store, artifact: Callable[..., Artifact]) -> None:
    store.refer(artifact("one"))
    store.refer(artifact("one", OTHER))

    store.forget(APP)

    assert store.artifacts(APP) == ()
    assert store.artifact(OTHER) == artifact("one", OTHER)

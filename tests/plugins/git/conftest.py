"""A repository, a context over the real store, and GitRepository documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
import structlog
from fakes.git_repository import GitRepository
from fakes.source_world import Secrets, ThreadWork

from gitopsd.plugin import (
    Artifact,
    Context,
    Declared,
    Digest,
    Http,
    ObjectRef,
    Place,
    Revision,
    SourceIntent,
    Stored,
)
from gitopsd.store.store import Store
from gitopsd_plugins.git.kind import GitRepository as Kind
from gitopsd_plugins.git.source import GitSource

REF = ObjectRef(kind="GitRepository", namespace="flux-system", name="app")


@dataclass
class World:
    """A source and everything that it works with."""

    ctx: Context
    store: Store
    source: GitSource
    work: ThreadWork
    secrets: Secrets
    logs: list[Mapping[str, Any]]

    async def sync(self, intent: SourceIntent, base: Artifact | None = None) -> tuple[Revision, Stored]:
        revision = await self.source.resolve(intent, self.ctx)
        return revision, await self.source.fetch(intent, revision, base, self.ctx)

    def artifact(self, intent: SourceIntent, revision: Revision, stored: Stored) -> Artifact:
        return Artifact(
            source=intent.ref,
            revision=revision,
            tree=stored.tree,
            size=stored.size,
            files=stored.files,
            stored=self.ctx.now(),
            spec=intent.content,
        )


@pytest.fixture
def world(tmp_path):
    logs: list[Mapping[str, Any]] = []

    def keep(logger, method, event):
        logs.append({**event, "level": method})
        raise structlog.DropEvent

    with Store.open(tmp_path / "state") as store:
        work, secrets = ThreadWork(store), Secrets()
        ctx = Context(
            http=Http(),
            work=work,
            quick=work,
            credentials=secrets,
            intake=store,
            now=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            log=structlog.wrap_logger(None, processors=[keep]),
            cache=lambda name: tmp_path / "cache" / name,
        )
        source = GitSource()
        yield World(ctx=ctx, store=store, source=source, work=work, secrets=secrets, logs=logs)
        anyio.run(source.close)


@pytest.fixture
def repo(tmp_path):
    return GitRepository(tmp_path / "origin.git")


def declared(
    spec: Mapping[str, Any], *, parent: ObjectRef | None = None, file: str = "/etc/gitopsd/app.yaml"
) -> Declared:
    """A GitRepository document; interval and url have defaults."""
    document = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "app", "namespace": "flux-system"},
        "spec": {"url": "https://git.example.org/team/app", "interval": "1m", **spec},
    }
    return Declared(ref=REF, document=document, place=Place(file=file, line=1), spec=Digest("sha256:0"), parent=parent)


@pytest.fixture
def read():
    """Reads a document with this spec."""
    return lambda spec, **options: Kind().read(declared(spec, **options))


@pytest.fixture
def document():
    return declared


@pytest.fixture
def contents():
    """All files of a tree: path -> bytes, with links as their target in `str`."""

    def walk(store: Store, digest: Digest, prefix: str = "") -> dict[str, bytes | str]:
        found: dict[str, bytes | str] = {}
        for name, entry in store.node(digest).items():
            match type(entry).__name__:
                case "Folder":
                    found |= walk(store, entry.digest, f"{prefix}{name}/")
                case "File":
                    found[prefix + name] = store.blob(entry.digest)
                case _:
                    found[prefix + name] = entry.target
        return found

    return walk


@pytest.fixture
def key_folder(tmp_path) -> Path:
    folder = tmp_path / "keys"
    folder.mkdir()
    return folder

"""What a source plugin works with, over the real store: jobs run in threads of this process, Secrets are in a dictionary."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread
import structlog

from gitopsd.plugin import (
    Artifact,
    Context,
    Digest,
    Folder,
    Http,
    Intake,
    NotReady,
    Revision,
    Source,
    SourceIntent,
    Stored,
)
from gitopsd.plugin.conformance.source import CountingIntake
from gitopsd.store.store import Store


@dataclass
class ThreadWork:
    """Runs jobs in a thread of this process, with the store that it was given."""

    intake: Intake

    async def run(self, job: str, payload: bytes, *, timeout: float, memory: int = 0) -> bytes:
        module, _, name = job.partition(":")
        function = getattr(importlib.import_module(module), name)
        return await anyio.to_thread.run_sync(partial(function, payload, self.intake))


@dataclass
class Secrets:
    """Secrets by name."""

    data: dict[str, Mapping[str, bytes]] = field(default_factory=dict)

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        if name not in self.data:
            raise NotReady(f"Secret/{namespace}/{name} not found in secrets.d")
        return self.data[name]

    async def config(self, namespace: str, name: str) -> Mapping[str, bytes]:
        return await self.secret(namespace, name)


@dataclass
class SourceWorld:
    """A context and what stands behind it."""

    ctx: Context
    store: Store
    intake: CountingIntake
    work: ThreadWork
    secrets: Secrets

    async def sync(self, source: Source, intent: SourceIntent, base: Artifact | None = None) -> tuple[Revision, Stored]:
        """Resolve and fetch."""
        revision = await source.resolve(intent, self.ctx)
        return revision, await source.fetch(intent, revision, base, self.ctx)

    def artifact(self, intent: SourceIntent, revision: Revision, stored: Stored) -> Artifact:
        """What the core would keep of a fetch."""
        return Artifact(
            source=intent.ref,
            revision=revision,
            tree=stored.tree,
            size=stored.size,
            files=stored.files,
            stored=self.ctx.now(),
            spec=intent.content,
        )

    def files(self, tree: Digest, prefix: str = "") -> dict[str, bytes]:
        """The regular files of a stored tree."""
        found: dict[str, bytes] = {}
        for name, entry in self.store.node(tree).items():
            if isinstance(entry, Folder):
                found |= self.files(entry.digest, f"{prefix}{name}/")
            else:
                found[prefix + name] = self.store.blob(entry.digest)
        return found


@contextmanager
def source_world(folder: Path) -> Iterator[SourceWorld]:
    """A world over a store in this folder."""

    def drop(logger: Any, method: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
        raise structlog.DropEvent

    with Store.open(folder / "state") as store:
        intake = CountingIntake(store)
        work, secrets = ThreadWork(intake), Secrets()
        ctx = Context(
            http=Http(),
            work=work,
            quick=work,
            credentials=secrets,
            intake=intake,
            now=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            log=structlog.wrap_logger(None, processors=[drop]),
            cache=partial(_folder, folder / "cache"),
        )
        yield SourceWorld(ctx=ctx, store=store, intake=intake, work=work, secrets=secrets)


def _folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir(parents=True, exist_ok=True, mode=0o700)
    return made

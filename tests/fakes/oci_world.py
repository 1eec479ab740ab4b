"""A source plugin in the middle of what it works with: the real store, jobs in a thread, Secrets by name."""

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
    File,
    Folder,
    Http,
    Intake,
    Link,
    NotReady,
    Revision,
    Source,
    SourceIntent,
    Stored,
)
from gitopsd.store.store import Store


@dataclass
class ThreadWork:
    """Runs jobs in a thread of this process, with the store that it was given. Remembers their names."""

    intake: Intake
    jobs: list[str] = field(default_factory=list)

    async def run(self, job: str, payload: bytes, *, timeout: float, memory: int = 0) -> bytes:
        self.jobs.append(job)
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
    """A source and everything that it works with. `concealed` is what it had masked."""

    ctx: Context
    store: Store
    source: Source
    work: ThreadWork
    secrets: Secrets
    logs: list[Mapping[str, Any]]
    concealed: list[bytes]

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
            metadata=stored.metadata,
        )

    def contents(self, digest: Digest, prefix: str = "") -> dict[str, bytes | str]:
        """Path -> bytes of a file, or the target of a link as text."""
        found: dict[str, bytes | str] = {}
        for name, entry in self.store.node(digest).items():
            match entry:
                case Folder():
                    found |= self.contents(entry.digest, f"{prefix}{name}/")
                case File():
                    found[prefix + name] = self.store.blob(entry.digest)
                case Link():
                    found[prefix + name] = entry.target
        return found


@contextmanager
def source_world(folder: Path, source: Source) -> Iterator[SourceWorld]:
    """A world of its own in this folder."""
    logs: list[Mapping[str, Any]] = []
    concealed: list[bytes] = []

    def keep(logger: object, method: str, event: Mapping[str, Any]) -> Any:
        logs.append({**event, "level": method})
        raise structlog.DropEvent

    with Store.open(folder / "state") as store:
        work, secrets = ThreadWork(store), Secrets()
        ctx = Context(
            http=Http(),
            work=work,
            quick=work,
            credentials=secrets,
            intake=store,
            now=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            log=structlog.wrap_logger(None, processors=[keep]),
            cache=lambda name: folder / "cache" / name,
            conceal=concealed.append,
        )
        yield SourceWorld(
            ctx=ctx, store=store, source=source, work=work, secrets=secrets, logs=logs, concealed=concealed
        )

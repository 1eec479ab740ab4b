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

import anyio
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


class SlowSecrets:
    """The same Secrets, read once somebody else has had an answer."""

    def __init__(self, secrets: Secrets) -> None:
        self.others_answered = anyio.Event()
        self._secrets = secrets

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        await self.others_answered.wait()
        return await self._secrets.secret(namespace, name)

    config = secret


@dataclass
class SourceWorld:
    """A context and what stands behind it. `logs` is what was logged, `concealed` what was to be masked."""

    ctx: Context
    store: Store
    intake: CountingIntake
    work: ThreadWork
    secrets: Secrets
    logs: list[Mapping[str, Any]]
    concealed: list[bytes]

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
            metadata=stored.metadata,
        )

    def files(self, tree: Digest) -> dict[str, bytes]:
        """The regular files of a stored tree."""
        return {path: data for path, data in contents(self.store, tree).items() if isinstance(data, bytes)}


@dataclass
class World(SourceWorld):
    """The same around one source, for tests that are about no other."""

    source: Any

    async def sync(self, intent: SourceIntent, base: Artifact | None = None) -> tuple[Revision, Stored]:  # type: ignore[override]  # of its own source
        """Resolve and fetch."""
        return await super().sync(self.source, intent, base)

    def contents(self, tree: Digest) -> dict[str, bytes | str]:
        """All files of a stored tree; see `contents`."""
        return contents(self.store, tree)


def contents(store: Store, tree: Digest, prefix: str = "") -> dict[str, bytes | str]:
    """Path -> bytes of a file, or the target of a link as text."""
    found: dict[str, bytes | str] = {}
    for name, entry in store.node(tree).items():
        match entry:
            case Folder():
                found |= contents(store, entry.digest, f"{prefix}{name}/")
            case File():
                found[prefix + name] = store.blob(entry.digest)
            case Link():
                found[prefix + name] = entry.target
    return found


@contextmanager
def source_world(folder: Path) -> Iterator[SourceWorld]:
    """A world over a store in this folder."""
    logs: list[Mapping[str, Any]] = []
    concealed: list[bytes] = []

    def keep(logger: object, method: str, event: Mapping[str, Any]) -> Any:
        logs.append({**event, "level": method})
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
            log=structlog.wrap_logger(None, processors=[keep]),
            cache=partial(_folder, folder / "cache"),
            conceal=concealed.append,
        )
        yield SourceWorld(
            ctx=ctx, store=store, intake=intake, work=work, secrets=secrets, logs=logs, concealed=concealed
        )


@contextmanager
def one_source(folder: Path, source: Source) -> Iterator[World]:
    """A world around this source."""
    with source_world(folder) as made:
        yield World(**vars(made), source=source)


def _folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir(parents=True, exist_ok=True, mode=0o700)
    return made

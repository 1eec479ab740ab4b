"""A source plugin in the middle of what it works with: the real store, jobs in a thread, Secrets by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from fakes.source_world import Secrets, ThreadWork

from gitopsd.plugin import (
    Artifact,
    Context,
    Digest,
    File,
    Folder,
    Http,
    Link,
    Revision,
    Source,
    SourceIntent,
    Stored,
)
from gitopsd.store.store import Store


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

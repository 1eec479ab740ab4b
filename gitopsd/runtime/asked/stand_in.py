"""Something else in the place of what a source declares, for plans: another revision, or a local folder.

A stand-in answers for the plugin's own source. Until it is told to begin, and for all other objects, the source answers itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gitopsd.model.declared import SourceIntent
from gitopsd.model.errors import UsageError
from gitopsd.model.identity import ObjectRef
from gitopsd.model.tree import Artifact, Revision
from gitopsd.plugin.context import Context
from gitopsd.plugin.roles import AnyFolder, AnyRevision, Source
from gitopsd.plugin.tree import Stored
from gitopsd.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Instead:
    """What stands in for which source."""

    revisions: Mapping[ObjectRef, str] = field(default_factory=dict)
    folders: Mapping[ObjectRef, Path] = field(default_factory=dict)

    @property
    def sources(self) -> frozenset[ObjectRef]:
        """Every source that something stands in for."""
        return frozenset({*self.revisions, *self.folders})

    def named(self, source: ObjectRef) -> str:
        """In words what stands in for this source; '' for nothing."""
        if source in self.folders:
            return f"folder {self.folders[source]}"
        return f"revision {self.revisions[source]}" if source in self.revisions else ""


class StandIn:
    """A source of the same kind. A folder is read once, however often it is asked for."""

    def __init__(self, source: Source, store: Store) -> None:
        self.kind = source.kind
        self._source = source
        self._store = store
        self._instead = Instead()
        self._folders: dict[ObjectRef, Stored] = {}

    def begin(self, instead: Instead) -> None:
        """From now on answer with these."""
        self._instead = instead

    async def resolve(self, intent: SourceIntent, ctx: Context) -> Revision:
        """The revision that stands in; a folder's is its content."""
        folder = self._instead.folders.get(intent.ref)
        if folder is None:
            return await self._source.resolve(self._at(intent), ctx)
        if intent.ref not in self._folders:
            self._folders[intent.ref] = await self._read(intent, folder, ctx)
        return Revision(name=str(folder), digest=self._folders[intent.ref].tree)

    async def fetch(self, intent: SourceIntent, revision: Revision, base: Artifact | None, ctx: Context) -> Stored:
        """Bring it into the store, as changes against what the source itself stored last."""
        if intent.ref in self._instead.folders:
            return self._folders[intent.ref]
        last = base or self._store.artifact(intent.ref)
        usable = last if last is not None and last.spec == intent.content else None
        return await self._source.fetch(self._at(intent), revision, usable, ctx)

    def _at(self, intent: SourceIntent) -> SourceIntent:
        revision = self._instead.revisions.get(intent.ref)
        if revision is None:
            return intent
        if not isinstance(self._source, AnyRevision):
            beside = "; a local folder can stand in for it (--path)" if isinstance(self._source, AnyFolder) else ""
            raise UsageError(f"{intent.ref}: no other revision of it can be asked for{beside}")
        return self._source.at(intent, revision)

    async def _read(self, intent: SourceIntent, folder: Path, ctx: Context) -> Stored:
        if not isinstance(self._source, AnyFolder):
            raise UsageError(f"{intent.ref}: a folder cannot stand in for a {self.kind}")
        return await self._source.folder(intent, folder, ctx)

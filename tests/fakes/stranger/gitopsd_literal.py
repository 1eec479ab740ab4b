"""A source whose files stand in its own spec: all that a plugin of gitopsd needs, with nothing but the public API.

It serves a kind of its own, `Literal`, and Flux's `ExternalArtifact`, which gitopsd knows and lists as not served.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from gitopsd.plugin import (
    AppIntent,
    Artifact,
    Body,
    Changes,
    Content,
    Context,
    Declared,
    Outcome,
    Phase,
    ResourceId,
    Revision,
    SourceIntent,
    Spec,
    Stored,
    Treatment,
    digest,
    hookimpl,
    spec,
)


class LiteralSpec(Spec, frozen=True, kw_only=True):
    files: dict[str, str]


class Document(Spec, frozen=True, kw_only=True):
    api_version: str
    kind: str
    metadata: dict[str, Any]
    spec: LiteralSpec


class LiteralKind:
    versions: tuple[str, ...] = ("v1",)

    def __init__(self, group: str, kind: str) -> None:
        self.group, self.kind = group, kind
        self.aliases: tuple[str, ...] = (kind.lower(),)

    def read(self, declared: Declared) -> SourceIntent:
        found = spec.decode(declared.document, Document).spec
        hour, content = timedelta(hours=1), digest.of_value(found.files)
        return SourceIntent(ref=declared.ref, spec=found, content=content, interval=hour, timeout=hour)

    def status(self, declared: Declared, outcome: Outcome, previous: Mapping[str, Any]) -> Mapping[str, Any]:
        ready = "True" if outcome.phase is Phase.READY else "False"
        return {"conditions": [{"type": "Ready", "status": ready, "message": outcome.message}]}

    def treatment(self, intent: AppIntent, id: ResourceId, body: Body) -> Treatment:
        return Treatment()

    def schema(self) -> Mapping[str, Any]:
        return {"type": "object"}


class LiteralSource:
    def __init__(self, kind: str) -> None:
        self.kind = kind

    async def resolve(self, intent: SourceIntent, ctx: Context) -> Revision:
        return Revision(digest=intent.content)

    async def fetch(self, intent: SourceIntent, revision: Revision, base: Artifact | None, ctx: Context) -> Stored:
        files: dict[str, str] = intent.spec.files
        stored = ctx.intake.add(Content(data=text.encode()) for text in files.values())
        return ctx.intake.put(Changes(entries=dict(zip(files, stored, strict=True))))


@hookimpl
def gitopsd_kinds() -> list[LiteralKind]:
    return [LiteralKind("literal.example.org", "Literal"), LiteralKind("source.toolkit.fluxcd.io", "ExternalArtifact")]


@hookimpl
def gitopsd_sources() -> list[LiteralSource]:
    return [LiteralSource("Literal"), LiteralSource("ExternalArtifact")]

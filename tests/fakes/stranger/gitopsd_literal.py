"""A source whose files stand in its own spec, a way to a cluster, a health rule: with nothing but the public API.

It serves a kind of its own, `Literal`, and Flux's `ArtifactGenerator`, which gitopsd knows and lists as not served.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from gitopsd.plugin import (
    Access,
    AppIntent,
    Artifact,
    Body,
    Changes,
    Content,
    Context,
    Declared,
    Health,
    Outcome,
    Phase,
    ResourceId,
    Revision,
    SourceIntent,
    Spec,
    Stored,
    Treatment,
    Verdict,
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


class LiteralAccessSpec(Spec, frozen=True, kw_only=True):
    server: str
    token: str


class LiteralAccess:
    name = "literal"

    @asynccontextmanager
    async def open(self, cluster: str, value: Mapping[str, Any], ctx: Context) -> AsyncIterator[Access]:
        found = spec.decode(value, LiteralAccessSpec)

        async def headers() -> Mapping[str, str]:
            return {"Authorization": f"Bearer {found.token}"}

        yield Access(cluster=cluster, server=found.server, headers=headers)


class WidgetHealth:
    group, kind = "literal.example.org", "Widget"

    def assess(self, body: Body) -> Verdict:
        metadata, status = body.get("metadata") or {}, body.get("status")
        if metadata.get("deletionTimestamp"):
            return Verdict(health=Health.TERMINATING, message="is being deleted")
        if not isinstance(status, Mapping) or not status.get("ready"):
            return Verdict(health=Health.IN_PROGRESS, message="is not ready")
        if status.get("observedGeneration", metadata.get("generation")) != metadata.get("generation"):
            return Verdict(health=Health.IN_PROGRESS, message="its last change is not observed yet")
        return Verdict(health=Health.CURRENT)


@hookimpl
def gitopsd_kinds() -> list[LiteralKind]:
    return [
        LiteralKind("literal.example.org", "Literal"),
        LiteralKind("source.extensions.fluxcd.io", "ArtifactGenerator"),
    ]


@hookimpl
def gitopsd_sources() -> list[LiteralSource]:
    return [LiteralSource("Literal"), LiteralSource("ArtifactGenerator")]


@hookimpl
def gitopsd_accesses() -> list[LiteralAccess]:
    return [LiteralAccess()]


@hookimpl
def gitopsd_health() -> list[WidgetHealth]:
    return [WidgetHealth()]

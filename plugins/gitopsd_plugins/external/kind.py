"""The declared kind ExternalArtifact: what a document means, and its status in Flux's words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gitopsd.plugin import AppIntent, Body, Declared, Outcome, ResourceId, SourceIntent, Treatment
from gitopsd.plugin.sources import status
from gitopsd_plugins.external import artifact
from gitopsd_plugins.external.artifact import Document

FAILED = "ArtifactFailed"


class ExternalArtifact:
    """Flux's ExternalArtifact of `source.toolkit.fluxcd.io`."""

    group = "source.toolkit.fluxcd.io"
    kind = "ExternalArtifact"
    versions: tuple[str, ...] = ("v1",)
    aliases: tuple[str, ...] = ("ea", "externalartifact", "externalartifacts")

    def read(self, declared: Declared) -> SourceIntent:
        """Decode and check. Raises `SpecError`."""
        return artifact.read(declared)

    def status(self, declared: Declared, outcome: Outcome, previous: Mapping[str, Any]) -> Mapping[str, Any]:
        """The status after this outcome."""
        return status.after(outcome, previous, failed=FAILED, observed={})

    def treatment(self, intent: AppIntent, id: ResourceId, body: Body) -> Treatment:
        """A source applies nothing."""
        return Treatment()

    def schema(self) -> Mapping[str, Any]:
        """JSON Schema of the whole document."""
        return msgspec.json.schema(Document)

"""The declared kind Bucket: what a document means, and its status in Flux's words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gitopsd.plugin import AppIntent, Body, Declared, Outcome, ResourceId, SourceIntent, Treatment
from gitopsd.plugin.sources import status
from gitopsd_plugins.bucket import place
from gitopsd_plugins.bucket.spec import Document


class Bucket:
    """Flux's Bucket of `source.toolkit.fluxcd.io`."""

    group = "source.toolkit.fluxcd.io"
    kind = "Bucket"
    versions: tuple[str, ...] = ("v1", "v1beta2", "v1beta1")
    aliases: tuple[str, ...] = ("bucket", "buckets")

    def read(self, declared: Declared) -> SourceIntent:
        """Decode and check. Raises `SpecError`; unserved fields go into the intent."""
        return place.read(declared)

    def status(self, declared: Declared, outcome: Outcome, previous: Mapping[str, Any]) -> Mapping[str, Any]:
        """The status after this outcome."""
        observed = {"observedIgnore": declared.document["spec"].get("ignore")}
        return status.after(outcome, previous, failed=place.FAILED, observed=observed)

    def treatment(self, intent: AppIntent, id: ResourceId, body: Body) -> Treatment:
        """A source applies nothing."""
        return Treatment()

    def schema(self) -> Mapping[str, Any]:
        """JSON Schema of the whole document."""
        return msgspec.json.schema(Document)

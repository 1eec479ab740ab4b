"""The declared kind OCIRepository: what a document means, and its status in Flux's words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gitopsd.plugin import AppIntent, Body, Declared, Outcome, ResourceId, SourceIntent, Treatment
from gitopsd.plugin.oci.manifest import FAILED
from gitopsd.plugin.sources import status
from gitopsd_plugins.oci import repository
from gitopsd_plugins.oci.spec import Document


class OCIRepository:
    """Flux's OCIRepository of `source.toolkit.fluxcd.io`."""

    group = "source.toolkit.fluxcd.io"
    kind = "OCIRepository"
    versions: tuple[str, ...] = ("v1", "v1beta2")
    aliases: tuple[str, ...] = ("ocirepo", "ocirepository", "ocirepositories")

    def read(self, declared: Declared) -> SourceIntent:
        """Decode and check. Raises `SpecError`; unserved fields go into the intent."""
        return repository.read(declared)

    def status(self, declared: Declared, outcome: Outcome, previous: Mapping[str, Any]) -> Mapping[str, Any]:
        """The status after this outcome."""
        spec = declared.document["spec"]
        observed = {"observedIgnore": spec.get("ignore"), "observedLayerSelector": spec.get("layerSelector")}
        return status.after(outcome, previous, failed=FAILED, observed=observed)

    def treatment(self, intent: AppIntent, id: ResourceId, body: Body) -> Treatment:
        """A source applies nothing."""
        return Treatment()

    def schema(self) -> Mapping[str, Any]:
        """JSON Schema of the whole document."""
        return msgspec.json.schema(Document)

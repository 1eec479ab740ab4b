"""The declared kind HelmRepository: what a document means, and its status in Flux's words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gitopsd.plugin import AppIntent, Body, Declared, Outcome, ResourceId, SourceIntent, Treatment
from gitopsd.plugin.sources import status
from gitopsd_plugins.helm import repository
from gitopsd_plugins.helm.repository_spec import Document


class HelmRepository:
    """Flux's HelmRepository of `source.toolkit.fluxcd.io`."""

    group = "source.toolkit.fluxcd.io"
    kind = "HelmRepository"
    versions: tuple[str, ...] = ("v1", "v1beta2", "v1beta1")
    aliases: tuple[str, ...] = ("helmrepo", "helmrepository", "helmrepositories")

    def read(self, declared: Declared) -> SourceIntent:
        """Decode and check. Raises `SpecError`; unserved fields go into the intent."""
        return repository.read(declared)

    def status(self, declared: Declared, outcome: Outcome, previous: Mapping[str, Any]) -> Mapping[str, Any]:
        """The status after this outcome."""
        return status.after(outcome, previous, failed=repository.FAILED, observed={})

    def treatment(self, intent: AppIntent, id: ResourceId, body: Body) -> Treatment:
        """A source applies nothing."""
        return Treatment()

    def schema(self) -> Mapping[str, Any]:
        """JSON Schema of the whole document."""
        return msgspec.json.schema(Document)

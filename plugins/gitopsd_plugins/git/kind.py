"""The declared kind GitRepository: what a document means, and its status in Flux's words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gitopsd.plugin import AppIntent, Body, Declared, Outcome, ResourceId, SourceIntent, Treatment
from gitopsd.plugin.sources import status
from gitopsd_plugins.git import repository
from gitopsd_plugins.git.reference import FAILED
from gitopsd_plugins.git.spec import Document


class GitRepository:
    """Flux's GitRepository of `source.toolkit.fluxcd.io`."""

    group = "source.toolkit.fluxcd.io"
    kind = "GitRepository"
    versions: tuple[str, ...] = ("v1", "v1beta2", "v1beta1")
    aliases: tuple[str, ...] = ("gitrepo", "gitrepository", "gitrepositories")

    def read(self, declared: Declared) -> SourceIntent:
        """Decode and check. Raises `SpecError`; unserved fields go into the intent."""
        return repository.read(declared)

    def status(self, declared: Declared, outcome: Outcome, previous: Mapping[str, Any]) -> Mapping[str, Any]:
        """The status after this outcome."""
        asked = declared.document["spec"]
        observed = {
            "observedIgnore": asked.get("ignore"),
            "sourceVerificationMode": _mode(asked),
            "observedInclude": asked.get("include") or None,
            "observedRecurseSubmodules": asked.get("recurseSubmodules") or None,
            "observedSparseCheckout": asked.get("sparseCheckout") or None,
        }
        return status.after(outcome, previous, failed=FAILED, observed=observed)

    def treatment(self, intent: AppIntent, id: ResourceId, body: Body) -> Treatment:
        """A source applies nothing."""
        return Treatment()

    def schema(self) -> Mapping[str, Any]:
        """JSON Schema of the whole document."""
        return msgspec.json.schema(Document)


def _mode(spec: Mapping[str, Any]) -> str | None:
    verify = spec.get("verify")
    if not verify:
        return None
    mode = str(verify.get("mode", "HEAD"))
    return "HEAD" if mode == "head" else mode

"""What users write in a HelmRepository: every field of Flux's v1."""

from __future__ import annotations

from typing import Any, Literal

from gitopsd.plugin import Spec
from gitopsd.plugin.sources.fields import Duration, Local, Timeout


class RepositorySpec(Spec, frozen=True, kw_only=True):
    """The spec of a HelmRepository."""

    url: str
    type: Literal["default", "oci"] = "default"
    interval: Duration = "1m"
    timeout: Timeout = "60s"
    secret_ref: Local | None = None
    cert_secret_ref: Local | None = None
    pass_credentials: bool = False
    insecure: bool = False
    provider: Literal["generic", "aws", "azure", "gcp"] = "generic"
    suspend: bool = False
    access_from: dict[str, Any] | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Fields that have no effect here."""
        found = {
            "spec.accessFrom was never implemented in Flux; remove it": self.access_from is not None,
            "spec.provider is for type: oci only": self.provider != "generic" and self.type != "oci",
            "spec.insecure is for type: oci only": self.insecure and self.type != "oci",
            "spec.passCredentials has no effect with type: oci": self.pass_credentials and self.type == "oci",
        }
        return tuple(text for text, used in found.items() if used)


class Document(Spec, frozen=True, kw_only=True):
    """A whole HelmRepository document."""

    api_version: Literal[
        "source.toolkit.fluxcd.io/v1", "source.toolkit.fluxcd.io/v1beta2", "source.toolkit.fluxcd.io/v1beta1"
    ]
    kind: Literal["HelmRepository"]
    metadata: dict[str, Any]
    spec: RepositorySpec
    status: dict[str, Any] | None = None

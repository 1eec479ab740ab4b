"""What users write in an OCIRepository: every field of Flux's v1."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from gitopsd.plugin import Spec
from gitopsd.plugin.sources.fields import Duration, Local, Timeout


class RefSpec(Spec, frozen=True, kw_only=True):
    """Which artifact; where several are given: digest, semver, tag, in this order. `latest` without any."""

    digest: str = ""
    semver: str = ""
    semver_filter: str = ""
    tag: str = ""


class LayerSelector(Spec, frozen=True, kw_only=True):
    """Which layer is the content, and whether the artifact holds its files or the layer as it is."""

    media_type: str = ""
    operation: Literal["extract", "copy"] = "extract"


class Identity(Spec, frozen=True, kw_only=True):
    """Who may have signed without a key."""

    issuer: str
    subject: str


class Verification(Spec, frozen=True, kw_only=True):
    """Signatures to check."""

    provider: Literal["cosign", "notation"] = "cosign"
    secret_ref: Local | None = None
    match_oidc_identity: tuple[Identity, ...] = msgspec.field(default=(), name="matchOIDCIdentity")
    trusted_root_secret_ref: Local | None = None


class RepositorySpec(Spec, frozen=True, kw_only=True):
    """The spec of an OCIRepository."""

    url: str
    interval: Duration
    ref: RefSpec | None = None
    layer_selector: LayerSelector | None = None
    provider: Literal["generic", "aws", "azure", "gcp"] = "generic"
    secret_ref: Local | None = None
    verify: Verification | None = None
    service_account_name: str = ""
    cert_secret_ref: Local | None = None
    proxy_secret_ref: Local | None = None
    timeout: Timeout = "60s"
    ignore: str | None = None
    insecure: bool = False
    suspend: bool = False

    @property
    def unsupported(self) -> tuple[str, ...]:
        """Fields that are set to more than their default and not served yet."""
        verify = self.verify or Verification()
        found = {
            "spec.verify.provider": verify.provider != "cosign",
            "spec.verify.matchOIDCIdentity": bool(verify.match_oidc_identity),
            "spec.verify.trustedRootSecretRef": verify.trusted_root_secret_ref is not None,
            "spec.verify without secretRef": self.verify is not None and verify.secret_ref is None,
        }
        return tuple(name for name, used in found.items() if used)


class Document(Spec, frozen=True, kw_only=True):
    """A whole OCIRepository document."""

    api_version: Literal["source.toolkit.fluxcd.io/v1", "source.toolkit.fluxcd.io/v1beta2"]
    kind: Literal["OCIRepository"]
    metadata: dict[str, Any]
    spec: RepositorySpec
    status: dict[str, Any] | None = None

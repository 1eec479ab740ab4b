"""What users write in a Bucket: every field of Flux's v1."""

from __future__ import annotations

from typing import Any, Literal

from gitopsd.plugin import Spec
from gitopsd.plugin.sources.fields import Duration, Local, Timeout


class TokenService(Spec, frozen=True, kw_only=True):
    """A service that gives temporary credentials."""

    provider: Literal["aws", "ldap"]
    endpoint: str
    secret_ref: Local | None = None
    cert_secret_ref: Local | None = None


class BucketSpec(Spec, frozen=True, kw_only=True):
    """The spec of a Bucket."""

    bucket_name: str
    endpoint: str
    interval: Duration
    provider: Literal["generic", "aws", "gcp", "azure"] = "generic"
    sts: TokenService | None = None
    insecure: bool = False
    region: str = ""
    prefix: str = ""
    secret_ref: Local | None = None
    service_account_name: str = ""
    cert_secret_ref: Local | None = None
    proxy_secret_ref: Local | None = None
    timeout: Timeout = "60s"
    ignore: str | None = None
    suspend: bool = False
    access_from: dict[str, Any] | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What has no effect: a field of older Flux versions, and one that is for other providers."""
        found = {
            "spec.accessFrom has had no effect since Flux v2; remove it": self.access_from is not None,
            f"spec.region has no effect with provider {self.provider}": bool(self.region) and not self.speaks_s3,
        }
        return tuple(text for text, so in found.items() if so)

    @property
    def speaks_s3(self) -> bool:
        """Whether the bucket is asked by Amazon's protocol."""
        return self.provider in {"generic", "aws"}


class Document(Spec, frozen=True, kw_only=True):
    """A whole Bucket document."""

    api_version: Literal[
        "source.toolkit.fluxcd.io/v1", "source.toolkit.fluxcd.io/v1beta2", "source.toolkit.fluxcd.io/v1beta1"
    ]
    kind: Literal["Bucket"]
    metadata: dict[str, Any]
    spec: BucketSpec
    status: dict[str, Any] | None = None

"""What users write in an OCIRepository: every field of Flux's v1."""

from __future__ import annotations

from typing import Any, Literal

from gitopsd.plugin import Spec
from gitopsd.plugin.oci.verify import RootedVerification
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


class RepositorySpec(Spec, frozen=True, kw_only=True):
    """The spec of an OCIRepository."""

    url: str
    interval: Duration
    ref: RefSpec | None = None
    layer_selector: LayerSelector | None = None
    provider: Literal["generic", "aws", "azure", "gcp"] = "generic"
    secret_ref: Local | None = None
    verify: RootedVerification | None = None
    service_account_name: str = ""
    cert_secret_ref: Local | None = None
    proxy_secret_ref: Local | None = None
    timeout: Timeout = "60s"
    ignore: str | None = None
    insecure: bool = False
    suspend: bool = False


class Document(Spec, frozen=True, kw_only=True):
    """A whole OCIRepository document."""

    api_version: Literal["source.toolkit.fluxcd.io/v1", "source.toolkit.fluxcd.io/v1beta2"]
    kind: Literal["OCIRepository"]
    metadata: dict[str, Any]
    spec: RepositorySpec
    status: dict[str, Any] | None = None

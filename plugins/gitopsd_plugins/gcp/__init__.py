"""Keys that Google Cloud keeps (Cloud KMS)."""

from __future__ import annotations

from collections.abc import Iterable

from gitopsd.plugin import KeyService, hookimpl
from gitopsd_plugins.gcp.service import Kms


@hookimpl
def gitopsd_key_services() -> Iterable[KeyService]:
    """gcp_kms."""
    return [Kms()]

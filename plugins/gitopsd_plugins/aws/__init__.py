"""Keys that AWS keeps (Key Management Service)."""

from __future__ import annotations

from collections.abc import Iterable

from gitopsd.plugin import KeyService, hookimpl
from gitopsd_plugins.aws.service import Kms


@hookimpl
def gitopsd_key_services() -> Iterable[KeyService]:
    """kms."""
    return [Kms()]

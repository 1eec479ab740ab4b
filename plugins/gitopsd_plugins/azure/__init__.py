"""Keys that Azure keeps (Key Vault and Managed HSM)."""

from __future__ import annotations

from collections.abc import Iterable

from gitopsd.plugin import KeyService, hookimpl
from gitopsd_plugins.azure.service import KeyVault


@hookimpl
def gitopsd_key_services() -> Iterable[KeyService]:
    """azure_kv."""
    return [KeyVault()]

"""Keys that HashiCorp Vault or OpenBao keep in their transit engine."""

from __future__ import annotations

from collections.abc import Iterable

from gitopsd.plugin import KeyService, hookimpl
from gitopsd_plugins.vault.service import Transit


@hookimpl
def gitopsd_key_services() -> Iterable[KeyService]:
    """hc_vault."""
    return [Transit()]

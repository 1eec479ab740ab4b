"""SOPS for gitopsd: encrypted files are opened in memory, without a sops binary."""

from __future__ import annotations

from collections.abc import Iterable

from gitopsd.plugin import Decryptor, hookimpl
from gitopsd_plugins.sops.decryptor import SopsDecryptor


@hookimpl
def gitopsd_decryptors() -> Iterable[Decryptor]:
    """sops."""
    return [SopsDecryptor()]

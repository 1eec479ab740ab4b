"""Every fixture, in every format and for every sort of key, opens as the real sops opened it."""

from __future__ import annotations

from pathlib import Path

from gitopsd.plugin import Keys
from gitopsd.plugin.conformance.decryptor import DecryptorSuite
from gitopsd_plugins.sops.decryptor import SopsDecryptor

_DATA = Path(__file__).parents[2] / "data" / "sops"


def _files(folder: str) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted((_DATA / folder).iterdir())}


class TestSops(DecryptorSuite):
    decryptor = SopsDecryptor
    sealed = _files("sealed")
    plain = _files("plain")
    keys = (Keys(place="Secret/apps/sops-keys", values=_files("keys")),)

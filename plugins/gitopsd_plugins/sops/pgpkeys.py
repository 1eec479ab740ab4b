"""Data keys that were sealed with OpenPGP. The library is the extra `[pgp]`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from gitopsd.plugin import Credential, Misconfigured
from gitopsd_plugins.sops.agekeys import Closed

_BLOCK = re.compile(rb"-----BEGIN PGP [A-Z ]+-----.*?-----END PGP [A-Z ]+-----", re.S)


def opened(sealed: str, keys: Sequence[Credential]) -> bytes:
    """The data key or share. Raises `Closed`, and `Misconfigured` for a key that is none and a library that is missing."""
    if not keys:
        raise Closed("there is no OpenPGP key")
    library = _library()
    for key in keys:
        for certificate in _certificates(key, library):
            if (found := _tried(sealed.encode("utf-8", "replace"), certificate, library)) is not None:
                return found
    raise Closed(f"{', '.join(key.place for key in keys)} does not open it")


def _library() -> Any:
    try:
        import pysequoia
        import pysequoia.packet
    except ImportError:
        raise Misconfigured(
            "files that are encrypted with OpenPGP need the extra [pgp]; install gitopsd[pgp]",
            reason="DecryptionFailed",
        ) from None
    return pysequoia


def _certificates(key: Credential, library: Any) -> list[Any]:
    """Every private key in it; one armored block may hold several, and a file several blocks."""
    blocks = _BLOCK.findall(key.content) or [key.content]
    try:
        found = [made for block in blocks for made in _apart(block, library)]
    except Exception as error:  # noqa: BLE001 - the library raises RuntimeError and more for whatever does not parse
        raise _unfit(key, f"is no OpenPGP key ({type(error).__name__})") from None  # the cause may quote what it read
    if not found:
        raise _unfit(key, "holds no private key; export it with gpg --export-secret-keys --armor")
    return found


def _apart(block: bytes, library: Any) -> list[Any]:
    groups: list[list[Any]] = []
    for packet in library.packet.PacketPile.from_bytes(block):
        sort = str(packet.tag).rpartition(".")[2]
        if sort in ("SecretKey", "PublicKey"):
            groups.append([])
        groups[-1].append(packet)
    secret = [group for group in groups if str(group[0].tag).endswith("SecretKey")]
    return [library.Tsk.from_packets(group) for group in secret]


def _tried(sealed: bytes, certificate: Any, library: Any) -> bytes | None:
    """What the certificate's keys make of it; None where it is not for them."""
    try:
        return bytes(library.decrypt(sealed, decryptor=certificate.decryptor()).bytes)
    except Exception:  # noqa: BLE001 - the library raises plain Exception; whatever it is, this key does not open it
        return None


def _unfit(key: Credential, what: str) -> Misconfigured:
    return Misconfigured(f"{key.place}: {what}", reason="DecryptionFailed")

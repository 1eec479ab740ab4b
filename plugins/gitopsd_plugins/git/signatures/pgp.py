"""OpenPGP signatures, checked by pysequoia: no keyring on disk, no gpg, no trust in anything but the keys that are given.

The library comes with the extra `gitopsd[pgp]` and is loaded when there is something to check.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from types import ModuleType
from typing import TYPE_CHECKING

from gitopsd_plugins.git.signatures.signed import MalformedKey, SignatureError

if TYPE_CHECKING:
    from pysequoia import Cert, Sig

MISSING = "OpenPGP signatures need the library pysequoia; install gitopsd[pgp]"


def keys(data: bytes) -> Sequence[Cert]:
    """The public keys of a file, armoured or not. Raises `MalformedKey`, and `SignatureError` without the library."""
    pysequoia = _library()
    try:
        found: Sequence[Cert] = pysequoia.Cert.split_bytes(data)
    except (RuntimeError, ValueError) as error:
        raise MalformedKey("holds no OpenPGP public key") from error
    if not found:
        raise MalformedKey("holds no OpenPGP public key")
    return found


def verified(armoured: bytes, payload: bytes, allowed: Sequence[Cert], now: datetime) -> str:
    """The long id of the key that made this signature over these bytes. Raises `SignatureError`.

    As in Flux, a certificate or signature that is expired or revoked now proves nothing, whenever it was made; of a subkey it
    counts how it stood when it signed.
    """
    pysequoia = _library()
    try:
        signature: Sig = pysequoia.Sig.from_bytes(armoured)
    except (RuntimeError, ValueError) as error:
        raise SignatureError("it cannot be read") from error
    usable = [cert for cert in allowed if not cert.is_revoked and not _expired(cert.expiration, now)]
    try:
        checked = pysequoia.verify(bytes=payload, store=lambda ids: usable, signature=signature)
    except (RuntimeError, ValueError) as error:
        raise SignatureError(_why(signature, allowed, usable, now)) from error
    if _expired(signature.expiration, now):
        raise SignatureError(f"it expired on {signature.expiration:%Y-%m-%d}")
    certificate: str = checked.valid_sigs[0].certificate
    return certificate[-16:].upper()


def _library() -> ModuleType:
    """The library, or the error that names the extra."""
    try:
        import pysequoia
    except ImportError as error:
        raise SignatureError(MISSING) from error
    return pysequoia


def _expired(at: datetime | None, now: datetime) -> bool:
    return at is not None and at <= now


def _why(signature: Sig, allowed: Sequence[Cert], usable: Sequence[Cert], now: datetime) -> str:
    """Only the primary keys are known by name here: a signature by a subkey may be of any of them."""
    issuer = (signature.issuer_fingerprint or signature.issuer_key_id or "").upper()
    for cert in allowed:
        if issuer and cert.fingerprint.upper().endswith(issuer[-16:]):
            if cert.is_revoked:
                return f"its key {issuer[-16:]} is revoked"
            if _expired(cert.expiration, now):
                return f"its key {issuer[-16:]} expired on {cert.expiration:%Y-%m-%d}"
            return f"it does not fit to the content, or is too weak, though it names the key {issuer[-16:]}"
    those = "trusted keys that are neither revoked nor expired" if len(usable) < len(allowed) else "trusted keys"
    return f"it does not fit to the content, or none of the {those} made it (it names {issuer[-16:] or 'no key'})"

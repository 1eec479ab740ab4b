"""Does one of these public keys stand behind this digest? Pure; a worker process runs it.

Nothing is asked: with a key, neither Flux nor cosign's own keys need the transparency log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from gitopsd.model.errors import Rejected
from gitopsd.plugin.oci.verify.cosign import Signed
from gitopsd.plugin.tree import Intake

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

PLACE = "spec.verify.secretRef"


class KeyFormatError(ValueError):
    """A public key that cannot be read, or of a sort that cosign does not sign with."""


def job(payload: bytes, intake: Intake) -> bytes:
    """What a worker process does of it."""
    del intake
    signed, digest, keys = msgspec.msgpack.decode(payload, type=tuple[list[Signed], str, dict[str, bytes]])
    try:
        return signer(signed, digest, keys).encode()
    except KeyFormatError as error:
        raise Rejected(f"{PLACE}: {error}", reason="VerificationError") from error


def signer(signed: Sequence[Signed], digest: str, keys: Mapping[str, bytes]) -> str:
    """The name of the key whose signature stands behind the digest; '' for none. Raises `KeyFormatError` naming the key."""
    checks = {name: _check(name, pem) for name, pem in keys.items()}
    about = [(found.data, signature) for found in signed if found.digest == digest for signature in found.signatures]
    for name, check in checks.items():
        if any(check(signature, data) for data, signature in about):
            return name
    return ""


def _check(name: str, pem: bytes) -> Callable[[bytes, bytes], bool]:
    """Whether a signature over data is this key's."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        verify = verifier(load_pem_public_key(pem))
    except ValueError as error:
        raise KeyFormatError(f"the key {name} is no public key in PEM that cosign signs with") from error

    def check(signature: bytes, data: bytes) -> bool:
        try:
            verify(signature, data)
        except InvalidSignature:
            return False
        return True

    return check


def verifier(key: PublicKeyTypes) -> Callable[[bytes, bytes], None]:
    """Checks a signature over data, as cosign signs with such a key. Raises `ValueError` for a key that it does not sign with."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

    match key:
        case ec.EllipticCurvePublicKey():
            return lambda signature, data: key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        case rsa.RSAPublicKey() if key.key_size >= 2048:
            return lambda signature, data: key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
        case ed25519.Ed25519PublicKey():
            return key.verify
    raise ValueError(type(key).__name__)

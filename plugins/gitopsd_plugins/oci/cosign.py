"""Signatures as cosign makes them with a key: does one of these public keys stand behind this digest? Pure; nothing is asked.

Two forms exist: a signed statement about an image (`simple signing`), and since cosign 3 a bundle around an in-toto statement.
Both name the digest inside what is signed, so a good signature of something else proves nothing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle"
"""Media types of bundles begin so; a version follows."""
SIGNATURE = "dev.cosignproject.cosign/signature"
STATEMENT = "application/vnd.in-toto+json"
SIGN = "https://sigstore.dev/cosign/sign/v1"
"""What a statement has to be about: others are attestations, which say something, but not "this is ours"."""


class KeyFormatError(ValueError):
    """A public key that cannot be read, or of a sort that cosign does not sign with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Bytes with signatures over them, and the digest that they are about; '' where they are about nothing of the kind."""

    data: bytes = field(repr=False)
    signatures: tuple[bytes, ...] = field(repr=False)
    digest: str


def of_payload(payload: bytes, signature: str) -> Signed | None:
    """A simple signing payload and its signature; None for what is neither."""
    found = _json(payload)
    signed = _bytes(signature)
    critical = found.get("critical")
    image = critical.get("image") if isinstance(critical, dict) else None
    digest = image.get("docker-manifest-digest") if isinstance(image, dict) else None
    if signed is None or not isinstance(digest, str):
        return None
    return Signed(data=payload, signatures=(signed,), digest=digest)


def of_bundle(bundle: bytes) -> Signed | None:
    """The signed statement in a bundle; None where there is none about an image."""
    envelope = _json(bundle).get("dsseEnvelope")
    if not isinstance(envelope, dict) or envelope.get("payloadType") != STATEMENT:
        return None
    payload = _bytes(envelope.get("payload"))
    signatures = [_bytes(found.get("sig")) for found in envelope.get("signatures") or () if isinstance(found, dict)]
    if payload is None:
        return None
    return Signed(
        data=_encoded(STATEMENT, payload),
        signatures=tuple(found for found in signatures if found is not None),
        digest=_subject(_json(payload)),
    )


def _subject(statement: Mapping[str, Any]) -> str:
    """The one digest that the statement is about."""
    subjects = statement.get("subject")
    if statement.get("predicateType") != SIGN or not isinstance(subjects, list) or len(subjects) != 1:
        return ""
    digests = subjects[0].get("digest") if isinstance(subjects[0], dict) else None
    found = digests.get("sha256") if isinstance(digests, dict) else None
    return f"sha256:{found}" if isinstance(found, str) else ""


def _encoded(kind: str, payload: bytes) -> bytes:
    """What a DSSE envelope's signatures are over."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


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
        verify = _verifier(load_pem_public_key(pem))
    except ValueError as error:
        raise KeyFormatError(f"the key {name} is no public key in PEM that cosign signs with") from error

    def check(signature: bytes, data: bytes) -> bool:
        try:
            verify(signature, data)
        except InvalidSignature:
            return False
        return True

    return check


def _verifier(key: PublicKeyTypes) -> Callable[[bytes, bytes], None]:
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


def _json(data: bytes) -> Mapping[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        return {}


def _bytes(text: Any) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except binascii.Error:
        return None

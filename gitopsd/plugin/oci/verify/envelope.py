"""Notation's signature envelopes, read and checked against their own certificate; whether that is trusted is not looked at. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gitopsd.plugin.oci.verify import proof
from gitopsd.plugin.oci.verify.proof import Refused

if TYPE_CHECKING:
    from cryptography import x509

JWS, COSE = "application/jose+json", "application/cose"
PAYLOAD = "application/vnd.cncf.notary.payload.v1+json"
PREFIX = "io.cncf.notary."
SCHEME, EXPIRY, TIME, AUTHENTIC_TIME = (
    PREFIX + name for name in ("signingScheme", "expiry", "signingTime", "authenticSigningTime")
)
STAMP = PREFIX + "timestampSignature"
PLUGIN = PREFIX + "verificationPlugin"
X509, AUTHORITY = "notary.x509", "notary.x509.signingAuthority"
"""Schemes: a certificate of one's own, and an authority that signs for others and whose clock counts."""
MAX_CHAIN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What was signed, how and by whom. `chain` begins with the signer; `stamp` is a time stamp token, or empty."""

    payload: bytes = field(repr=False)
    scheme: str
    signed: datetime
    expires: datetime | None
    chain: tuple[x509.Certificate, ...]
    signature: bytes = field(repr=False)
    stamp: bytes = field(default=b"", repr=False)


def certificates(raw: Sequence[bytes]) -> tuple[x509.Certificate, ...]:
    """A chain as it stands in an envelope. Raises `Refused`."""
    if not 0 < len(raw) <= MAX_CHAIN:
        raise Refused(f"has {len(raw)} certificates; 1 to {MAX_CHAIN} are read")
    return tuple(proof.certificate(found) for found in raw)


def check_signature(leaf: x509.Certificate, algorithm: str, data: bytes, signature: bytes) -> None:
    """Raises `Refused` unless the signature is by the certificate's key, with the one algorithm for such a key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    key = leaf.public_key()
    fitting = algorithm_of(leaf)
    if algorithm != fitting:
        raise Refused(f"says that its algorithm is {algorithm[:20]!r}; its certificate's key signs with {fitting}")
    hashed = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[fitting[2:]]
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PSS(padding.MGF1(hashed), padding.PSS.AUTO), hashed)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            half = (key.key_size + 7) // 8
            if len(signature) != 2 * half:
                raise InvalidSignature
            r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
            key.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashed))
    except InvalidSignature as error:
        raise Refused("is not by its own certificate") from error


def algorithm_of(leaf: x509.Certificate) -> str:
    """The one algorithm for the certificate's key. Raises `Refused` for a key that notation does not sign with."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    found = ""
    match leaf.public_key():
        case rsa.RSAPublicKey(key_size=size):
            found = {2048: "PS256", 3072: "PS384", 4096: "PS512"}.get(size, "")
        case ec.EllipticCurvePublicKey(key_size=size):
            found = {256: "ES256", 384: "ES384", 521: "ES512"}.get(size, "")
    if not found:
        raise Refused("is by a key of a kind or size that notation does not sign with")
    return found


def check_critical(critical: Sequence[str], present: Mapping[Any, object], scheme: str) -> None:
    """Raises `Refused` unless all that has to be understood is understood, and all that has to be marked so is."""
    needed = {SCHEME, *({EXPIRY} if present.get(EXPIRY) else ()), *({AUTHENTIC_TIME} if scheme == AUTHORITY else ())}
    if missing := needed - set(critical):
        raise Refused(f"does not mark as critical: {', '.join(sorted(missing))}")
    if PLUGIN in present:
        raise Refused("has to be checked by a plugin of notation, and gitopsd starts no program")
    if unknown := set(critical) - {SCHEME, EXPIRY, AUTHENTIC_TIME}:
        raise Refused(f"marks as critical what is not known here: {', '.join(sorted(unknown))[:200]}")


def signing_time(scheme: str, plain: datetime | None, authentic: datetime | None) -> datetime:
    """When it says that it was made. Raises `Refused`."""
    if scheme not in {X509, AUTHORITY}:
        raise Refused(f"is of the signing scheme {scheme[:80]!r}; {X509} and {AUTHORITY} are known")
    found, other = (plain, authentic) if scheme == X509 else (authentic, plain)
    if found is None or other is not None:
        raise Refused("does not say when it was made as its signing scheme asks for")
    return found


def check_payload(content_type: str, signed: datetime, expires: datetime | None) -> None:
    """Raises `Refused` for another sort of payload, and for times that cannot be."""
    if content_type != PAYLOAD:
        raise Refused(f"is over content of the type {content_type[:80]!r}")
    if expires is not None and expires <= signed:
        raise Refused("expires before it was made")

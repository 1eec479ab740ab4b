"""Was a certificate of Sigstore's authority good at a moment: its chain, what it is for, and the log that saw it issued. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gitopsd.plugin.oci.verify.proof import Refused

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.x509.certificate_transparency import SignedCertificateTimestamp
    from sigstore_models.common.v1 import PublicKey, TimeRange
    from sigstore_models.trustroot.v1 import TrustedRoot


def check(certificate: x509.Certificate, at: datetime, root: TrustedRoot) -> None:
    """Raises `Refused` unless an authority of the root issued it, for signing code, and a log of the root saw it."""
    root = as_of(root, at)
    issuer = _issuer(certificate, at, root)
    _check_usage(certificate)
    _check_seen(certificate, issuer, root)


def as_of(root: TrustedRoot, at: datetime) -> TrustedRoot:
    """The root of trust with what was in use at that moment: what was retired before may have fallen into other hands."""
    kept = {
        "tlogs": [log for log in root.tlogs if in_time(log.public_key.valid_for, at)],
        "ctlogs": [log for log in root.ctlogs if in_time(log.public_key.valid_for, at)],
        "certificate_authorities": [found for found in root.certificate_authorities if in_time(found.valid_for, at)],
    }
    return root.model_copy(update=kept)


def in_time(valid: TimeRange | None, at: datetime) -> bool:
    """Whether a key of the root of trust was in use."""
    return valid is None or (valid.start <= at and (valid.end is None or at <= valid.end))


def signed_by(key: PublicKey, signature: bytes, data: bytes) -> bool:
    """Whether a key of the root of trust signed. Logs sign with SHA-256."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    from gitopsd.plugin.oci.verify import keys

    try:
        keys.verifier(load_der_public_key(key.raw_bytes or b""))(signature, data)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def _issuer(certificate: x509.Certificate, at: datetime, root: TrustedRoot) -> x509.Certificate:
    """Who issued it, in a chain that held at that moment."""
    from cryptography import x509
    from cryptography.x509 import verification

    chains = [found.cert_chain.certificates for found in root.certificate_authorities]
    trusted = [x509.load_der_x509_certificate(found.raw_bytes) for chain in chains for found in chain]
    if not trusted:
        raise Refused("is of a time when the root of trust had no authority")

    # the default asks for a use in TLS; what a signer's certificate is for is looked at apart
    free = (x509.ExtendedKeyUsage, verification.Criticality.NON_CRITICAL, None)
    policy = (
        verification.PolicyBuilder()
        .store(verification.Store(trusted))
        .time(at)
        .extension_policies(
            ca_policy=verification.ExtensionPolicy.webpki_defaults_ca().may_be_present(*free),
            ee_policy=verification.ExtensionPolicy.webpki_defaults_ee().may_be_present(*free),
        )
        .build_client_verifier()
    )
    try:
        return policy.verify(certificate, []).chain[1]
    except (verification.VerificationError, x509.UnsupportedGeneralNameType, ValueError) as error:
        ended = not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc
        why = f"was not valid at {at:%Y-%m-%dT%H:%M:%SZ}, when it signed" if ended else "is not by a trusted authority"
        raise Refused(f"has a certificate that {why}") from error


def _check_usage(certificate: x509.Certificate) -> None:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound as error:
        raise Refused("has a certificate that does not say what it is for") from error
    if not usage.digital_signature or ExtendedKeyUsageOID.CODE_SIGNING not in extended:
        raise Refused("has a certificate that is not for signing code")


def _check_seen(certificate: x509.Certificate, issuer: x509.Certificate, root: TrustedRoot) -> None:
    from cryptography import x509

    try:
        seen = certificate.extensions.get_extension_for_class(x509.PrecertificateSignedCertificateTimestamps).value
    except (x509.ExtensionNotFound, ValueError) as error:
        raise Refused("has a certificate that no transparency log saw") from error
    logs = {log.log_id.key_id: log.public_key for log in root.ctlogs}
    for one in seen:
        key = logs.get(one.log_id)
        at = one.timestamp.replace(tzinfo=UTC)
        if key and in_time(key.valid_for, at) and signed_by(key, one.signature, _seen(one, certificate, issuer)):
            return
    raise Refused("has a certificate that no transparency log of the root of trust saw")


def _seen(seen: SignedCertificateTimestamp, certificate: x509.Certificate, issuer: x509.Certificate) -> bytes:
    """What the log signed, by RFC 6962: when, whose, and the certificate without the log's own words."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    spki = issuer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    body = certificate.tbs_precertificate_bytes
    milliseconds = round(seen.timestamp.replace(tzinfo=UTC).timestamp() * 1000)
    return b"".join(
        (
            bytes((seen.version.value, 0)),
            milliseconds.to_bytes(8, "big"),
            seen.entry_type.value.to_bytes(2, "big"),
            hashlib.sha256(spki).digest(),
            len(body).to_bytes(3, "big"),
            body,
            len(seen.extension_bytes).to_bytes(2, "big"),
            seen.extension_bytes,
        )
    )

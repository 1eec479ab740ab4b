"""A chain of certificates for signing code, by the Notary Project's rules: from the signer to a root that signed itself. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitopsd.plugin.oci.verify import envelope
from gitopsd.plugin.oci.verify.proof import Refused

if TYPE_CHECKING:
    from cryptography import x509

FORBIDDEN = {
    "1.3.6.1.5.5.7.3.1": "TLS servers",
    "1.3.6.1.5.5.7.3.2": "TLS clients",
    "1.3.6.1.5.5.7.3.4": "e-mail",
    "1.3.6.1.5.5.7.3.8": "time stamps",
    "1.3.6.1.5.5.7.3.9": "OCSP",
}


def check(chain: Sequence[x509.Certificate]) -> None:
    """Raises `Refused` for a chain that is none; when it is valid and whether anybody trusts it is not looked at."""
    for number, certificate in enumerate(chain):
        last = number == len(chain) - 1
        if not _issued(certificate, chain[number if last else number + 1]):
            why = "does not end with a root that signed itself" if last else "is not a chain from signer to root"
            raise Refused(f"has certificates that {why}")
        if not last and _issued(certificate, certificate):
            raise Refused("has a certificate that signed itself before the end of its chain")
        if number:
            _check_authority(certificate, number - 1)
    _check_signer(chain[0])


def _issued(certificate: x509.Certificate, by: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        certificate.verify_directly_issued_by(by)
        hashed = certificate.signature_hash_algorithm
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return hashed is None or hashed.digest_size >= 32  # without one: Ed25519; SHA-1 proves nothing


def _usage(certificate: x509.Certificate) -> x509.KeyUsage:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    except (x509.ExtensionNotFound, ValueError) as error:
        raise Refused(f"has the certificate {_name(certificate)} without a key usage") from error
    if not found.critical:
        raise Refused(f"has the certificate {_name(certificate)} whose key usage is not critical")
    return found.value


def _constraints(certificate: x509.Certificate) -> x509.BasicConstraints | None:
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return None


def _check_authority(certificate: x509.Certificate, below: int) -> None:
    found = _constraints(certificate)
    if found is None or not found.ca or not _usage(certificate).key_cert_sign:
        raise Refused(f"has the certificate {_name(certificate)}, which may not issue others")
    if found.path_length is not None and found.path_length < below:
        raise Refused(f"has the certificate {_name(certificate)} with more below it than it allows")


def _check_signer(certificate: x509.Certificate) -> None:
    from cryptography import x509

    usage, constraints = _usage(certificate), _constraints(certificate)
    more = usage.key_encipherment or usage.data_encipherment or usage.key_agreement or usage.crl_sign
    if (constraints and constraints.ca) or not usage.digital_signature or usage.key_cert_sign or more:
        raise Refused(f"is by the certificate {_name(certificate)}, which is not for signatures alone")
    try:
        uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        uses = x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.3")])
    for use in uses:
        if use.dotted_string in FORBIDDEN:
            raise Refused(f"is by the certificate {_name(certificate)}, which is for {FORBIDDEN[use.dotted_string]}")
    envelope.algorithm_of(certificate)


def _name(certificate: x509.Certificate) -> str:
    return repr(certificate.subject.rfc4514_string()[:200])

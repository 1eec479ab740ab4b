"""What it means that a signature proves nothing, and certificates that can be read. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509


class Refused(Exception):  # noqa: N818 - the name is the state
    """A signature proves nothing. The message says why, and begins with a verb."""


def sound(certificate: x509.Certificate) -> x509.Certificate:
    """The certificate, once all of it could be read, which is not done before somebody looks. Raises `Refused`."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        for part in ("subject", "issuer", "extensions", "signature_hash_algorithm"):
            getattr(certificate, part)
        certificate.public_key()
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, UnsupportedAlgorithm) as error:
        raise Refused("has a certificate that cannot be read") from error
    return certificate

"""What it means that a signature proves nothing, and certificates that can be read. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509


class Refused(Exception):  # noqa: N818 - the name is the state
    """A signature proves nothing. The message says why, and begins with a verb."""


def certificate(data: bytes) -> x509.Certificate:
    """A certificate in PEM or DER, all of which can be read: else that shows when somebody looks. Raises `Refused`."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    # the library's own errors are no ValueErrors
    errors = (x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType, UnsupportedAlgorithm)
    load = x509.load_pem_x509_certificate if data.startswith(b"-----BEGIN") else x509.load_der_x509_certificate
    try:
        found = load(data)
        for part in ("subject", "issuer", "extensions", "signature_hash_algorithm"):
            getattr(found, part)
        found.public_key()
    except (ValueError, *errors) as error:
        raise Refused("has a certificate that cannot be read") from error
    return found

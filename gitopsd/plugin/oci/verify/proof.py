"""What it means that a signature proves nothing, how it is told, and certificates that can be read. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509

_LATE = ("subject", "issuer", "extensions", "signature_hash_algorithm", "not_valid_before_utc", "not_valid_after_utc")
"""What the library reads when it is asked for, and not before."""


class Refused(Exception):  # noqa: N818 - the name is the state
    """A signature proves nothing. The message says why, and begins with a verb."""


def plain(text: str, size: int = 300) -> str:
    """What a signature says, on one line and without signs that a terminal would follow."""
    line = " ".join(text.split())
    return "".join(character if character.isprintable() else " " for character in line)[:size]


def certificate(data: bytes) -> x509.Certificate:
    """A certificate in PEM or DER, all of which can be read: else that shows when somebody looks. Raises `Refused`."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    # the library's own errors are no ValueErrors
    errors = (x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType, UnsupportedAlgorithm)
    load = x509.load_pem_x509_certificate if data.startswith(b"-----BEGIN") else x509.load_der_x509_certificate
    try:
        found = load(data)
        for part in _LATE:
            getattr(found, part)
        found.public_key()
    except (ValueError, TypeError, OverflowError, *errors) as error:
        raise Refused("has a certificate that cannot be read") from error
    return found

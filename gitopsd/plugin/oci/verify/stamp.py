"""Time stamps of notation's signatures (RFC 3161), with the library rfc3161-client (extra `gitopsd[notation]`). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gitopsd.plugin.oci.verify.proof import Refused, plain

if TYPE_CHECKING:
    from cryptography import x509
    from rfc3161_client.tsp import Accuracy

MISSING = "needs the time stamp in it, and that the extra [notation]; install gitopsd[notation] (pip install 'gitopsd[notation]')"


def period(token: bytes, signature: bytes, trusted: Sequence[x509.Certificate]) -> tuple[datetime, datetime]:
    """Between when and when somebody trusted saw the signature. Raises `Refused`, without the library too."""
    try:
        import rfc3161_client
    except ImportError as error:
        raise Refused(MISSING) from error
    if not token:
        raise Refused("has no time stamp, and the trust policy asks for one")
    builder = rfc3161_client.VerifierBuilder()
    for certificate in trusted:
        builder = builder.add_root_certificate(certificate)
    try:
        response = rfc3161_client.decode_timestamp_response(_response(token))
        builder.build().verify_message(response, signature)
        at, margin = response.tst_info.gen_time, _margin(response.tst_info.accuracy)
    except (ValueError, TypeError, OverflowError, rfc3161_client.VerificationError) as error:
        raise Refused(f"has a time stamp that does not hold: {plain(str(error), 200)}") from error
    return at - margin, at + margin


def _margin(accuracy: Accuracy | None) -> timedelta:
    if accuracy is None:
        return timedelta()
    return timedelta(
        seconds=accuracy.seconds or 0, milliseconds=accuracy.millis or 0, microseconds=accuracy.micros or 0
    )


def _response(token: bytes) -> bytes:
    """The answer of a time stamping service that granted this token."""
    content = b"\x30\x03\x02\x01\x00" + token
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    length = size if len(content) < 0x80 else bytes([0x80 | len(size)]) + size
    return b"\x30" + length + content

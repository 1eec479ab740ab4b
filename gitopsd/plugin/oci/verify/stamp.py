"""Time stamps of notation's signatures (RFC 3161), with the library rfc3161-client (extra `gitopsd[notation]`). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from gitopsd.model.errors import Misconfigured
from gitopsd.plugin.oci.verify.proof import Refused

if TYPE_CHECKING:
    from cryptography import x509

MISSING = (
    "time stamps of notation need the extra [notation]; install gitopsd[notation] (pip install 'gitopsd[notation]')"
)


def time(token: bytes, signature: bytes, trusted: Sequence[x509.Certificate]) -> datetime:
    """When somebody trusted saw the signature. Raises `Refused`, `Misconfigured` without the library."""
    try:
        import rfc3161_client
    except ImportError as error:
        raise Misconfigured(MISSING, reason="VerificationError") from error
    if not token:
        raise Refused("has no time stamp, and the trust policy asks for one")
    builder = rfc3161_client.VerifierBuilder()
    for certificate in trusted:
        builder = builder.add_root_certificate(certificate)
    try:
        response = rfc3161_client.decode_timestamp_response(_response(token))
        builder.build().verify_message(response, signature)
        return response.tst_info.gen_time
    except (ValueError, TypeError, rfc3161_client.VerificationError) as error:
        raise Refused(f"has a time stamp that does not hold: {' '.join(str(error).split())[:200]}") from error


def _response(token: bytes) -> bytes:
    """The answer of a time stamping service that granted this token."""
    granted = b"\x30\x03\x02\x01\x00"
    content = granted + token
    size = len(content).to_bytes(4, "big")
    return b"\x30\x84" + size + content

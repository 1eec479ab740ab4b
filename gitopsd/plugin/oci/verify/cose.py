"""Envelopes in COSE (`application/cose`), with the library cbor2 (extra `gitopsd[notation]`). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from gitopsd.plugin.oci.verify import envelope
from gitopsd.plugin.oci.verify.envelope import Envelope
from gitopsd.plugin.oci.verify.proof import Refused

if TYPE_CHECKING:
    from cryptography import x509

MISSING = "is in COSE, which needs the extra [notation]; install gitopsd[notation] (pip install 'gitopsd[notation]')"
_ALGORITHM, _CRITICAL, _CONTENT_TYPE, _CHAIN = 1, 2, 3, 33
_ALGORITHMS = {-7: "ES256", -35: "ES384", -36: "ES512", -37: "PS256", -38: "PS384", -39: "PS512"}
_SIGN1 = 18


def read(data: bytes) -> Envelope:
    """The envelope, whole and by its own certificate. Raises `Refused`, without the library too."""
    try:
        import cbor2
    except ImportError as error:
        raise Refused(MISSING) from error
    decode = partial(cbor2.loads, max_depth=8, allow_indefinite=False, allow_duplicate_keys=False)
    try:
        found = decode(data)
        raw, unprotected, payload, signature = found.value
        headers = decode(raw)
    except (cbor2.CBORError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise Refused("is no envelope of notation") from error
    chain = unprotected.get(_CHAIN) if isinstance(unprotected, Mapping) else None
    well = (
        found.tag == _SIGN1
        and isinstance(headers, Mapping)
        and isinstance(payload, bytes)
        and isinstance(signature, bytes)
        and isinstance(chain, list | tuple)
        and all(isinstance(one, bytes) for one in chain)
    )
    if not well:
        raise Refused("is no envelope of notation")
    certificates = envelope.certificates(list(chain or ()))
    signed = cbor2.dumps(["Signature1", raw, b"", payload])
    envelope.check_signature(certificates[0], _ALGORITHMS.get(headers.get(_ALGORITHM), "unknown"), signed, signature)
    stamp = unprotected.get(envelope.STAMP)
    return _read(headers, certificates, payload, signature, stamp if isinstance(stamp, bytes) else b"")


def _read(
    headers: Mapping[Any, Any],
    chain: tuple[x509.Certificate, ...],
    payload: bytes,
    signature: bytes,
    stamp: bytes,
) -> Envelope:
    """What the headers say, once the signature over them holds."""
    scheme, kind, critical = headers.get(envelope.SCHEME), headers.get(_CONTENT_TYPE), headers.get(_CRITICAL)
    if not isinstance(scheme, str) or not isinstance(kind, str) or not isinstance(critical, list | tuple):
        raise Refused("is no envelope of notation")
    envelope.check_critical([str(name) for name in critical], headers, scheme)
    at = envelope.signing_time(scheme, _time(headers, envelope.TIME), _time(headers, envelope.AUTHENTIC_TIME))
    expires = _time(headers, envelope.EXPIRY)
    envelope.check_payload(kind, at, expires)
    return Envelope(
        payload=payload,
        scheme=scheme,
        signed=at,
        expires=expires,
        chain=chain,
        signature=signature,
        stamp=stamp,
    )


def _time(headers: Mapping[Any, Any], name: str) -> datetime | None:
    found = headers.get(name)
    if found is None:
        return None
    if not isinstance(found, datetime):
        raise Refused("has a time that is none")
    return found.astimezone(UTC)

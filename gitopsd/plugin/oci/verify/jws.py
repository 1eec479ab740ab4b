"""Envelopes in JWS (`application/jose+json`), which notation makes unless it is told otherwise. Pure."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

import msgspec

from gitopsd.plugin.oci.verify import envelope
from gitopsd.plugin.oci.verify.envelope import Envelope
from gitopsd.plugin.oci.verify.proof import Refused


class _Unprotected(msgspec.Struct, frozen=True):
    chain: list[str] = msgspec.field(name="x5c")
    stamp: str = msgspec.field(default="", name=envelope.STAMP)


class _Document(msgspec.Struct, frozen=True):
    payload: str
    protected: str
    header: _Unprotected
    signature: str


class _Protected(msgspec.Struct, frozen=True, kw_only=True):
    alg: str
    cty: str
    crit: list[str] = []
    scheme: str = msgspec.field(name=envelope.SCHEME)
    expiry: datetime | None = msgspec.field(default=None, name=envelope.EXPIRY)
    time: datetime | None = msgspec.field(default=None, name=envelope.TIME)
    authentic: datetime | None = msgspec.field(default=None, name=envelope.AUTHENTIC_TIME)


def read(data: bytes) -> Envelope:
    """The envelope, whole and by its own certificate. Raises `Refused`."""
    try:
        found = msgspec.json.decode(data, type=_Document)
        raw = [base64.b64decode(text, validate=True) for text in found.header.chain]
        stamp = base64.b64decode(found.header.stamp, validate=True)
        signature, payload = _bytes(found.signature), _bytes(found.payload)
        protected = _bytes(found.protected)
        headers = msgspec.json.decode(protected, type=_Protected)
        present = msgspec.json.decode(protected, type=dict[str, Any])
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Refused("is no envelope of notation") from error
    chain = envelope.certificates(raw)
    envelope.check_signature(chain[0], headers.alg, f"{found.protected}.{found.payload}".encode(), signature)
    envelope.check_critical(headers.crit, present, headers.scheme)
    times = [headers.time, headers.authentic, headers.expiry]
    if any(at is not None and at.tzinfo is None for at in times):
        raise Refused("has a time without a zone")
    signed = envelope.signing_time(headers.scheme, headers.time, headers.authentic)
    envelope.check_payload(headers.cty, signed, headers.expiry)
    return Envelope(
        payload=payload,
        scheme=headers.scheme,
        signed=signed,
        expires=headers.expiry,
        chain=chain,
        signature=signature,
        stamp=stamp,
    )


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)

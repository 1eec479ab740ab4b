"""The forms in which cosign's signatures lie in a registry, and what they are about. Pure; nothing is checked here.

Two forms exist: a signed statement about an image (`simple signing`), and since cosign 3 a bundle around an in-toto statement.
Both name the digest inside what is signed, so a good signature of something else proves nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle"
"""Media types of bundles begin so; a version follows."""
SIGNATURE = "dev.cosignproject.cosign/signature"
CERTIFICATE = "dev.sigstore.cosign/certificate"
PROMISE = "dev.sigstore.cosign/bundle"
"""What the transparency log said when it took a simple signature."""
STATEMENT = "application/vnd.in-toto+json"
SIGN = "https://sigstore.dev/cosign/sign/v1"
"""What a statement has to be about: others are attestations, which say something, but not "this is ours"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Bytes with signatures over them, and the digest that they are about; '' where they are about nothing of the kind.

    Without a key there is more: the whole `bundle`, or beside a simple signature a `certificate` (PEM) and the log's `promise`.
    """

    data: bytes = field(repr=False)
    signatures: tuple[bytes, ...] = field(repr=False)
    digest: str
    bundle: bytes = field(default=b"", repr=False)
    certificate: str = field(default="", repr=False)
    promise: str = field(default="", repr=False)


def of_payload(payload: bytes, annotations: Mapping[str, str]) -> Signed | None:
    """A simple signing payload, and the annotations of its layer, where its signature is; None for what is neither."""
    found = _json(payload)
    signed = _bytes(annotations.get(SIGNATURE, ""))
    critical = found.get("critical")
    image = critical.get("image") if isinstance(critical, dict) else None
    digest = image.get("docker-manifest-digest") if isinstance(image, dict) else None
    if signed is None or not isinstance(digest, str):
        return None
    return Signed(
        data=payload,
        signatures=(signed,),
        digest=digest,
        certificate=annotations.get(CERTIFICATE, ""),
        promise=annotations.get(PROMISE, ""),
    )


def of_bundle(bundle: bytes) -> Signed | None:
    """The signed statement in a bundle; None where there is none about an image."""
    envelope = _json(bundle).get("dsseEnvelope")
    if not isinstance(envelope, dict) or envelope.get("payloadType") != STATEMENT:
        return None
    payload = _bytes(envelope.get("payload"))
    listed = envelope.get("signatures")
    signatures = [_bytes(f.get("sig")) for f in (listed if isinstance(listed, list) else ()) if isinstance(f, dict)]
    if payload is None:
        return None
    return Signed(
        data=_encoded(STATEMENT, payload),
        signatures=tuple(found for found in signatures if found is not None),
        digest=about(payload),
        bundle=bundle,
    )


def about(payload: bytes) -> str:
    """The one digest that an in-toto statement says is signed; '' for a statement about anything else."""
    statement = _json(payload)
    subjects = statement.get("subject")
    if statement.get("predicateType") != SIGN or not isinstance(subjects, list) or len(subjects) != 1:
        return ""
    digests = subjects[0].get("digest") if isinstance(subjects[0], dict) else None
    found = digests.get("sha256") if isinstance(digests, dict) else None
    return f"sha256:{found}" if isinstance(found, str) else ""


def _encoded(kind: str, payload: bytes) -> bytes:
    """What a DSSE envelope's signatures are over."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


def _json(data: bytes) -> Mapping[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        return {}


def _bytes(text: Any) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except ValueError:  # what is not ASCII is no binascii.Error
        return None

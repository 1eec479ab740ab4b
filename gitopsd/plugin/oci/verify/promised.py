"""Simple signatures with a certificate, and the promise of a transparency log that it took them at a certain time. Pure.

This is the form of cosign before bundles: the log signs what it took and when; the certificate must have been good then.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from gitopsd.plugin.oci.verify import fulcio, keys, proof
from gitopsd.plugin.oci.verify.cosign import Signed
from gitopsd.plugin.oci.verify.proof import Refused

if TYPE_CHECKING:
    from cryptography import x509
    from sigstore_models.trustroot.v1 import TransparencyLogInstance, TrustedRoot


class _Entry(msgspec.Struct, frozen=True):
    body: str
    integrated_time: int = msgspec.field(name="integratedTime")
    log_id: str = msgspec.field(name="logID")
    log_index: int = msgspec.field(name="logIndex")


class _Promise(msgspec.Struct, frozen=True, kw_only=True):
    signature: str = msgspec.field(name="SignedEntryTimestamp")
    entry: _Entry = msgspec.field(name="Payload")


def certificate(signed: Signed, root: TrustedRoot) -> x509.Certificate:
    """The certificate of who signed `signed`, once all of it holds. Raises `Refused`."""
    from cryptography.exceptions import InvalidSignature

    found = proof.certificate(signed.certificate.strip().encode())
    try:
        check = keys.verifier(found.public_key())
    except ValueError as error:
        raise Refused("has a certificate with a key that cosign does not sign with") from error
    at = _logged(signed, root)
    fulcio.check(found, at, root)
    try:
        check(signed.signatures[0], signed.data)
    except InvalidSignature as error:
        raise Refused("is not by its own certificate") from error
    return found


def _logged(signed: Signed, root: TrustedRoot) -> datetime:
    """When a log that is trusted took the signature."""
    try:
        promise = msgspec.json.decode(signed.promise, type=_Promise)
        signature = base64.b64decode(promise.signature, validate=True)
        body = base64.b64decode(promise.entry.body, validate=True)
        at = datetime.fromtimestamp(promise.entry.integrated_time, UTC)
    except (msgspec.DecodeError, ValueError, OverflowError, OSError) as error:
        raise Refused("has a proof of a transparency log that cannot be read") from error
    _check_promise(promise.entry, signature, at, root.tlogs)
    if not _same(body, signed):
        raise Refused("has a proof of a transparency log that is of something else")
    return at


def _check_promise(entry: _Entry, signature: bytes, at: datetime, logs: Sequence[TransparencyLogInstance]) -> None:
    log = next((log for log in logs if log.log_id.key_id.hex() == entry.log_id), None)
    if log is None or not fulcio.in_time(log.public_key.valid_for, at):
        raise Refused(f"is in the transparency log {entry.log_id[:16]}, which the root of trust does not know")
    said = {
        "body": entry.body,
        "integratedTime": entry.integrated_time,
        "logID": entry.log_id,
        "logIndex": entry.log_index,
    }
    # four members of plain text and numbers: in order and without spaces they are canonical
    data = msgspec.json.encode(said, order="deterministic")
    if not fulcio.signed_by(log.public_key, signature, data):
        raise Refused("has a proof that is not by its transparency log")


def _same(body: bytes, signed: Signed) -> bool:
    """Whether the log took this very signature, by this very certificate, over this very payload."""
    try:
        entry: Any = msgspec.json.decode(body)
        spec = entry["spec"]
        digest = spec["data"]["hash"]
        return bool(
            (entry["kind"], entry["apiVersion"], digest["algorithm"]) == ("hashedrekord", "0.0.1", "sha256")
            and digest["value"] == hashlib.sha256(signed.data).hexdigest()
            and base64.b64decode(spec["signature"]["content"], validate=True) == signed.signatures[0]
            and base64.b64decode(spec["signature"]["publicKey"]["content"], validate=True).strip()
            == signed.certificate.encode().strip()
        )
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, binascii.Error, RecursionError):
        return False

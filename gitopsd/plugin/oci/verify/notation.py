"""Does a signature of the Notary Project hold by the user's trust policy? What a worker process does of it. Pure.

Integrity always has to hold. For everything else the policy says what happens where it does not: `enforce` refuses, `log` tells
it and goes on, `skip` does not look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from gitopsd.model.errors import Rejected
from gitopsd.plugin.oci.verify import codesigning, cose, envelope, jws, names, revocation, stamp, trustpolicy
from gitopsd.plugin.oci.verify.envelope import AUTHORITY, Envelope
from gitopsd.plugin.oci.verify.proof import Refused
from gitopsd.plugin.oci.verify.spec import POLICY_FILE
from gitopsd.plugin.oci.verify.trustpolicy import Statement
from gitopsd.plugin.tree import Intake

if TYPE_CHECKING:
    from cryptography import x509

PLACE = "spec.verify.secretRef"
REASON = "VerificationError"
CERTIFICATES, LISTS = (".crt", ".pem"), ".crl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The manifest that has to be signed."""

    media_type: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Envelopes by media type, of what, and the Secret that decides. `repository` is `host/path`."""

    envelopes: tuple[tuple[str, bytes], ...] = field(repr=False)
    target: Target
    repository: str
    secret: Mapping[str, bytes] = field(repr=False)
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`passed` without `by`: the policy lets it in though nothing is proved. `told`: what did not hold and was to be logged."""

    passed: bool = False
    by: str = ""
    wrong: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trust:
    statement: Statement
    certificates: Sequence[x509.Certificate]
    lists: Sequence[x509.CertificateRevocationList]
    now: datetime


def job(payload: bytes, intake: Intake) -> bytes:
    """Answer an order. Raises `Rejected` for a Secret that cannot be used."""
    del intake
    return msgspec.msgpack.encode(answer(msgspec.msgpack.decode(payload, type=Order)))


def answer(order: Order) -> Answer:
    """The first signature that holds decides."""
    try:
        statement = trustpolicy.read(order.secret[POLICY_FILE], order.repository)
    except trustpolicy.PolicyError as error:
        raise Rejected(f"{PLACE}: {POLICY_FILE} {error}", reason=REASON) from error
    if statement.skips:
        return Answer(passed=True, told=(f"the trust policy {statement.name!r} skips verification",))
    trust = _Trust(
        statement=statement,
        certificates=_certificates(order.secret),
        lists=_lists(order.secret),
        now=order.now,
    )
    wrong = []
    for media_type, data in order.envelopes:
        try:
            return _held(_read(media_type, data), order.target, trust)
        except Refused as error:
            wrong.append(str(error))
    return Answer(wrong=tuple(wrong))


def _read(media_type: str, data: bytes) -> Envelope:
    readers: Mapping[str, Callable[[bytes], Envelope]] = {envelope.JWS: jws.read, envelope.COSE: cose.read}
    if media_type not in readers:
        raise Refused(f"is an envelope of the type {media_type[:80]!r}; {' and '.join(readers)} are known")
    found = readers[media_type](data)
    codesigning.check(found.chain)
    return found


def _held(found: Envelope, target: Target, trust: _Trust) -> Answer:
    """Raises `Refused` where something does not hold that has to."""
    told, trusted = [], True
    checks: Mapping[str, Callable[[Envelope, _Trust], None]] = {
        "authenticity": _check_authenticity,
        "expiry": _check_expiry,
        "authenticTimestamp": _check_time,
        "revocation": _check_revocation,
    }
    for kind, check in checks.items():
        action = trust.statement.actions[kind]
        if action == "skip":
            continue
        try:
            check(found, trust)
        except Refused as error:
            if action == "enforce":
                raise
            told.append(f"a signature {error}")
            trusted = trusted and kind != "authenticity"
    _check_target(found.payload, target)
    by = found.chain[0].subject.rfc4514_string() if trusted else ""
    return Answer(passed=True, by=by, told=tuple(told))


def _check_authenticity(found: Envelope, trust: _Trust) -> None:
    kind = "signingAuthority" if found.scheme == AUTHORITY else "ca"
    if kind not in trust.statement.stores:
        raise Refused(f"is of the scheme {found.scheme}, and the trust policy names no trust store of the type {kind}")
    if not set(trust.certificates) & set(found.chain):
        raise Refused(
            f"is by a certificate of {found.chain[-1].subject.rfc4514_string()[:200]!r}, which is not trusted"
        )
    if not trust.statement.identities:
        return
    subject = found.chain[0].subject
    try:
        own = names.of(subject)
    except ValueError as error:
        raise Refused(f"is by {subject.rfc4514_string()[:200]!r}, which {error}") from error
    if not any(names.covers(wanted, own) for wanted in trust.statement.identities):
        raise Refused(f"is by {subject.rfc4514_string()[:200]!r}, whom trustedIdentities does not name")


def _check_expiry(found: Envelope, trust: _Trust) -> None:
    if found.expires is not None and found.expires <= trust.now:
        raise Refused(f"expired at {_time(found.expires)}")


def _check_time(found: Envelope, trust: _Trust) -> None:
    """The certificates must have been valid when it was signed: now, or where somebody trusted says when, then."""
    ended = any(certificate.not_valid_after_utc < trust.now for certificate in found.chain)
    if found.scheme == AUTHORITY:
        first = last = found.signed
    elif "tsa" in trust.statement.stores and (ended or not trust.statement.late_stamp):
        first, last = stamp.period(found.stamp, found.signature, trust.certificates)
    else:
        first = last = trust.now
    for certificate in found.chain:
        if first < certificate.not_valid_before_utc or certificate.not_valid_after_utc < last:
            period = f"{_time(certificate.not_valid_before_utc)} to {_time(certificate.not_valid_after_utc)}"
            name = certificate.subject.rfc4514_string()[:200]
            raise Refused(f"has the certificate {name!r}, valid from {period} and not at {_time(last)}")


def _check_revocation(found: Envelope, trust: _Trust) -> None:
    revocation.check(found.chain, trust.lists, trust.now)


class _Artifact(msgspec.Struct, frozen=True, rename="camel"):
    digest: str
    size: int
    media_type: str


class _Payload(msgspec.Struct, frozen=True, rename="camel"):
    target_artifact: _Artifact


def _check_target(payload: bytes, target: Target) -> None:
    try:
        found = msgspec.json.decode(payload, type=_Payload).target_artifact
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refused("is of nothing that can be read") from error
    if (found.digest, found.size, found.media_type) != (target.digest, target.size, target.media_type):
        raise Refused(f"is of {found.digest[:80]}")


def _certificates(secret: Mapping[str, bytes]) -> Sequence[x509.Certificate]:
    from cryptography import x509

    found: list[x509.Certificate] = []
    for name, data in secret.items():
        if name.endswith(CERTIFICATES):
            try:
                pem = b"-----BEGIN" in data
                found += x509.load_pem_x509_certificates(data) if pem else [x509.load_der_x509_certificate(data)]
            except (ValueError, TypeError, x509.InvalidVersion) as error:
                raise Rejected(f"{PLACE}: {name} is no certificate", reason=REASON) from error
    return found


def _lists(secret: Mapping[str, bytes]) -> Sequence[x509.CertificateRevocationList]:
    from cryptography import x509

    found = []
    for name, data in secret.items():
        if name.endswith(LISTS):
            try:
                read = x509.load_pem_x509_crl if b"-----BEGIN" in data else x509.load_der_x509_crl
                found.append(read(data))
            except ValueError as error:
                raise Rejected(f"{PLACE}: {name} is no list of revoked certificates", reason=REASON) from error
    return found


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")

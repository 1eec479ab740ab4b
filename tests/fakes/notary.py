"""Signatures in notation's forms, with an authority of the test."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, ObjectIdentifier
from fakes.registry import EMPTY, IMAGE, Registry

NOTATION = "application/vnd.cncf.notary.signature"
JWS, COSE = "application/jose+json", "application/cose"
PREFIX = "io.cncf.notary."
AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
_AUTHORITY = (False, False, False, False, False, True, True, False, False)
"""The key signs certificates, and lists of those that are revoked."""
ADA = "CN=ada,O=Example,ST=BE,C=DE"

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1(), "ES256K": ec.SECP256K1()}
SIZES = {"PS256": 2048, "PS384": 3072, "PS512": 4096, "RS1024": 1024}
ALGORITHMS = {"ES256": -7, "ES384": -35, "ES512": -36, "PS256": -37, "PS384": -38, "PS512": -39}


def key(algorithm: str = "ES256") -> Key:
    if algorithm in CURVES:
        return ec.generate_private_key(CURVES[algorithm])
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return _rsa(SIZES[algorithm])


@cache  # large ones take seconds
def _rsa(size: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, size)


def signature(private: Key, data: bytes, algorithm: str) -> bytes:
    hashed = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}.get(
        algorithm[2:5], hashes.SHA256()
    )
    match private:
        case rsa.RSAPrivateKey():
            return private.sign(data, padding.PSS(padding.MGF1(hashed), hashed.digest_size), hashed)
        case ec.EllipticCurvePrivateKey():
            half = (private.key_size + 7) // 8
            r, s = decode_dss_signature(private.sign(data, ec.ECDSA(hashed)))
            return r.to_bytes(half, "big") + s.to_bytes(half, "big")
    return private.sign(data)


@dataclass
class Authority:
    """A root that signs certificates for code."""

    name: str = "CN=root,O=Example,ST=BE,C=DE"
    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    length: int | None = None
    ends: datetime = AT + 3650 * DAY

    def __post_init__(self) -> None:
        self.certificate = (
            self._builder(self.name, self.private, self.ends)
            .add_extension(x509.BasicConstraints(ca=True, path_length=self.length), critical=True)
            .add_extension(x509.KeyUsage(*_AUTHORITY), critical=True)
            .sign(self.private, hashes.SHA256())
        )

    def _builder(self, name: str, own: Key, ends: datetime) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name.from_rfc4514_string(name))
            .issuer_name(x509.Name.from_rfc4514_string(self.name))
            .public_key(own.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(AT - 30 * DAY)
            .not_valid_after(ends)
        )

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def signer(
        self,
        name: str = ADA,
        *,
        algorithm: str = "ES256",
        ends: datetime = AT + 30 * DAY,
        use: ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING,
        issues: bool = False,
        usage: Sequence[bool] = (True, *[False] * 8),
        asks: str = "",
    ) -> Signer:
        """`asks`: where somebody could ask whether it is revoked; `issues`: it says that it may issue others."""
        own = key(algorithm)
        built = (
            self._builder(name, own, ends)
            .add_extension(x509.BasicConstraints(ca=issues, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(*usage), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        )
        if asks:
            place = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(asks))
            built = built.add_extension(x509.AuthorityInformationAccess([place]), critical=False)
        return Signer(own, (built.sign(self.private, hashes.SHA256()), self.certificate), algorithm)

    def revoked(self, *certificates: x509.Certificate, at: datetime = AT, ends: datetime = AT + 30 * DAY) -> bytes:
        """The list of what was taken back."""
        built = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(x509.Name.from_rfc4514_string(self.name))
            .last_update(at)
            .next_update(ends)
        )
        for found in certificates:
            entry = x509.RevokedCertificateBuilder().serial_number(found.serial_number).revocation_date(at).build()
            built = built.add_revoked_certificate(entry)
        return built.sign(self.private, hashes.SHA256()).public_bytes(Encoding.PEM)


@dataclass
class Signer:
    private: Key
    chain: tuple[x509.Certificate, ...]
    algorithm: str

    @property
    def raw(self) -> list[bytes]:
        return [found.public_bytes(Encoding.DER) for found in self.chain]


def target(registry: Registry, digest: str) -> dict[str, Any]:
    media_type, raw = registry.manifests[digest]
    return {"mediaType": media_type, "digest": digest, "size": len(raw)}


def headers(**changed: Any) -> dict[str, Any]:
    """The signed headers but for the algorithm, as notation makes them; None leaves one out."""
    given = {
        "cty": "application/vnd.cncf.notary.payload.v1+json",
        "crit": [f"{PREFIX}signingScheme"],
        f"{PREFIX}signingScheme": "notary.x509",
        f"{PREFIX}signingTime": AT,
    }
    given |= {name if name in {"cty", "crit", "alg"} else PREFIX + name: value for name, value in changed.items()}
    return {name: value for name, value in given.items() if value is not None}


Stamp = Callable[[bytes], bytes]
"""Makes a time stamp token of a signature."""


def jws(by: Signer, payload: bytes, said: Mapping[str, Any], stamp: Stamp | None = None) -> bytes:
    words = {name: v.isoformat() if isinstance(v, datetime) else v for name, v in said.items()}
    protected = url64(json.dumps({"alg": by.algorithm, **words}).encode())
    data = f"{protected}.{url64(payload)}"
    made = signature(by.private, data.encode(), by.algorithm)
    stamped = {f"{PREFIX}timestampSignature": base64.b64encode(stamp(made)).decode()} if stamp else {}
    document = {
        "payload": url64(payload),
        "protected": protected,
        "header": {"x5c": [base64.b64encode(raw).decode() for raw in by.raw], **stamped},
        "signature": url64(made),
    }
    return json.dumps(document).encode()


def cose(by: Signer, payload: bytes, said: Mapping[str, Any], stamp: Stamp | None = None) -> bytes:
    labels = {"cty": 3, "crit": 2}
    words = {
        labels.get(n, n): cbor2.CBORTag(1, int(v.timestamp())) if isinstance(v, datetime) else v
        for n, v in said.items()
    }
    raw = cbor2.dumps({1: ALGORITHMS.get(by.algorithm, 0), **words})
    data = cbor2.dumps(["Signature1", raw, b"", payload])
    made = signature(by.private, data, by.algorithm)
    stamped = {f"{PREFIX}timestampSignature": stamp(made)} if stamp else {}
    return cbor2.dumps(cbor2.CBORTag(18, [raw, {33: by.raw, **stamped}, payload, made]))


FORMS = {JWS: jws, COSE: cose}


def sign(
    registry: Registry,
    subject: str,
    by: Signer,
    *,
    form: str = JWS,
    about: Mapping[str, Any] = {},
    stamp: Stamp | None = None,
    **changed: Any,
) -> None:
    """A signature of the subject as its referrer. `about` changes what it says that it is of, the rest its headers."""
    payload = json.dumps({"targetArtifact": {**target(registry, subject), **about}}).encode()
    attach(registry, subject, FORMS[form](by, payload, headers(**changed), stamp), form)


def attach(registry: Registry, subject: str, envelope: bytes, form: str = JWS) -> None:
    document = {
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "artifactType": NOTATION,
        "config": registry.blob(b"{}", EMPTY),
        "layers": [registry.blob(envelope, form)],
        "subject": target(registry, subject),
    }
    registry.manifest(json.dumps(document).encode())


def url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")

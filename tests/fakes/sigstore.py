"""A Sigstore of the test: an authority, a log of certificates and a log of signatures, in the formats of the real ones."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from fakes import cosign
from fakes.registry import Registry

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
ADA = "ada@example.org"
ISSUER = "https://login.example.org"
TIMESTAMPS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
MINUTE = timedelta(minutes=1)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def sized(data: bytes, octets: int) -> bytes:
    return len(data).to_bytes(octets, "big") + data


def der(tag: int, data: bytes) -> bytes:
    size = bytes([len(data)]) if len(data) < 0x80 else b"\x82" + len(data).to_bytes(2, "big")
    return bytes([tag]) + size + data


def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def spki(private: ec.EllipticCurvePrivateKey) -> bytes:
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def signed(private: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    return private.sign(data, ec.ECDSA(hashes.SHA256()))


def name(text: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, text), x509.NameAttribute(NameOID.COMMON_NAME, text)]
    )


@dataclass
class Signer:
    """Somebody with a certificate of a moment."""

    private: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key(self) -> cosign.Key:
        return cosign.Key(b"", lambda data: signed(self.private, data))


@dataclass
class Sigstore:
    """One instance. `url` is where its log says it is; nothing listens there."""

    url: str = "https://rekor.example.org"
    ca: ec.EllipticCurvePrivateKey = field(default_factory=key)
    between: ec.EllipticCurvePrivateKey = field(default_factory=key)
    seen: ec.EllipticCurvePrivateKey = field(default_factory=key)
    log: ec.EllipticCurvePrivateKey = field(default_factory=key)

    def __post_init__(self) -> None:
        self.root = self._authority("root", "root", self.ca, self.ca, length=1)
        self.authority = self._authority("between", "root", self.between, self.ca, length=0)

    def _authority(
        self,
        subject: str,
        issuer: str,
        own: ec.EllipticCurvePrivateKey,
        by: ec.EllipticCurvePrivateKey,
        *,
        length: int,
    ) -> x509.Certificate:
        usage = [False] * 5 + [True, True] + [False] * 2
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(issuer))
            .public_key(own.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(AT - timedelta(days=365))
            .not_valid_after(AT + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=length), critical=True)
            .add_extension(x509.KeyUsage(*usage), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
            .sign(by, hashes.SHA256())
        )

    @property
    def log_id(self) -> bytes:
        return hashlib.sha256(spki(self.log)).digest()

    def trusted_root(self, *, retired: str = "") -> bytes:
        """Its trusted_root.json; `retired`: a list of it whose entries were in use until an hour before `AT`."""
        since = {"start": (AT - timedelta(days=365)).strftime("%Y-%m-%dT%H:%M:%SZ")}

        def log(private: ec.EllipticCurvePrivateKey, url: str) -> dict[str, Any]:
            public = {"rawBytes": b64(spki(private)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": since}
            ident = {"keyId": b64(hashlib.sha256(spki(private)).digest())}
            return {"baseUrl": url, "hashAlgorithm": "SHA2_256", "publicKey": public, "logId": ident}

        chain = [{"rawBytes": b64(c.public_bytes(Encoding.DER))} for c in (self.authority, self.root)]
        subject = {"organization": "between", "commonName": "between"}
        document: dict[str, Any] = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(self.log, self.url)],
            "certificateAuthorities": [
                {
                    "subject": subject,
                    "uri": "https://fulcio.example.org",
                    "certChain": {"certificates": chain},
                    "validFor": since,
                }
            ],
            "ctlogs": [log(self.seen, "https://ct.example.org")],
        }
        end = (AT - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        for entry in document[retired] if retired else ():
            (entry if retired == "certificateAuthorities" else entry["publicKey"])["validFor"] = {**since, "end": end}
        return json.dumps(document).encode()

    def signer(
        self,
        subject: str = ADA,
        issuer: str = ISSUER,
        *,
        at: datetime = AT,
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING,
        seen: bool = True,
        new: bool = True,
    ) -> Signer:
        """A certificate for five minutes before and after `at`; `new`: it says who vouched in the way of today, too."""
        own = key()
        return Signer(own, self.issue(own.public_key(), subject, issuer, at=at, usage=usage, seen=seen, new=new))

    def issue(
        self,
        holder: Any,
        subject: str,
        issuer: str,
        *,
        at: datetime,
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING,
        seen: bool = True,
        new: bool = True,
    ) -> x509.Certificate:
        """A certificate for a public key."""
        who = x509.UniformResourceIdentifier(subject) if "://" in subject else x509.RFC822Name(subject)
        names = x509.SubjectAlternativeName([who])
        vouched, vouched_of_old = (x509.ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{number}") for number in (8, 1))
        built = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(name("between"))
            .public_key(holder)
            .serial_number(x509.random_serial_number())
            .not_valid_before(at - 5 * MINUTE)
            .not_valid_after(at + 5 * MINUTE)
            .add_extension(x509.KeyUsage(True, *[False] * 8), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(holder), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.between.public_key()), critical=False
            )
            .add_extension(names, critical=True)
            .add_extension(x509.UnrecognizedExtension(vouched_of_old, issuer.encode()), critical=False)
        )
        if new:
            built = built.add_extension(x509.UnrecognizedExtension(vouched, der(0x0C, issuer.encode())), critical=False)
        if seen:
            bare = built.sign(self.between, hashes.SHA256()).tbs_certificate_bytes
            stamps = der(0x04, sized(sized(self._seen(bare, at), 2), 2))
            built = built.add_extension(x509.UnrecognizedExtension(TIMESTAMPS, stamps), critical=False)
        return built.sign(self.between, hashes.SHA256())

    def _seen(self, bare: bytes, at: datetime) -> bytes:
        """What the log of certificates says of one, by RFC 6962."""
        when = int(at.timestamp() * 1000).to_bytes(8, "big")
        issuer = hashlib.sha256(spki(self.between)).digest()
        said = b"\0\0" + when + b"\0\1" + issuer + sized(bare, 3) + b"\0\0"
        log = hashlib.sha256(spki(self.seen)).digest()
        return b"\0" + log + when + b"\0\0" + b"\4\3" + sized(signed(self.seen, said), 2)

    def promise(self, body: bytes, at: datetime = AT) -> dict[str, Any]:
        """What the log says when it takes an entry, as cosign keeps it beside a simple signature."""
        entry = {"body": b64(body), "integratedTime": int(at.timestamp()), "logID": self.log_id.hex(), "logIndex": 1}
        canonical = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
        return {"SignedEntryTimestamp": b64(signed(self.log, canonical)), "Payload": entry}

    def entry(self, kind: str, body: bytes, at: datetime = AT) -> dict[str, Any]:
        """The second entry of a log of two, with its proof."""
        other = hashlib.sha256(b"\0another").digest()
        top = hashlib.sha256(b"\1" + other + hashlib.sha256(b"\0" + body).digest()).digest()
        origin = "rekor.example.org"
        note = f"{origin} - 1234\n2\n{b64(top)}\n"
        signature = b64(self.log_id[:4] + signed(self.log, note.encode()))
        proof = {
            "logIndex": "1",
            "rootHash": b64(top),
            "treeSize": "2",
            "hashes": [b64(other)],
            "checkpoint": {"envelope": f"{note}\n\N{EM DASH} {origin} {signature}\n"},
        }
        return {
            "logIndex": "1",
            "logId": {"keyId": b64(self.log_id)},
            "kindVersion": {"kind": kind, "version": "0.0.1"},
            "integratedTime": str(int(at.timestamp())),
            "inclusionPromise": {"signedEntryTimestamp": self.promise(body, at)["SignedEntryTimestamp"]},
            "inclusionProof": proof,
            "canonicalizedBody": b64(body),
        }

    def sign(
        self,
        registry: Registry,
        subject: str,
        by: Signer,
        *,
        about: str = "",
        at: datetime = AT,
        body: bytes | None = None,
        **annotations: str,
    ) -> None:
        """A simple signature with its certificate and the log's promise, behind a tag. `annotations` replace these."""
        data = cosign.payload(about or subject)
        signature = signed(by.private, data)
        taken = self.promise(record(data, signature, by.pem) if body is None else body, at)
        given = {
            "dev.cosignproject.cosign/signature": b64(signature),
            "dev.sigstore.cosign/certificate": by.pem.decode(),
            "dev.sigstore.cosign/bundle": json.dumps(taken),
        }
        given |= {f"dev.sigstore.cosign/{short}": text for short, text in annotations.items()}
        layer = {**registry.blob(data, cosign.PAYLOAD), "annotations": {k: v for k, v in given.items() if v}}
        registry.artifact(layers=[layer], tag=f"{subject.replace(':', '-')}.sig")

    def bundle(
        self,
        registry: Registry,
        subject: str,
        by: Signer,
        *,
        about: str = "",
        at: datetime = AT,
        body: bytes | None = None,
        entries: Sequence[dict[str, Any]] | None = None,
    ) -> None:
        """A bundle as cosign 3 makes it, as a referrer of its subject. `body`, `entries`: what the log is made to say instead."""
        said = cosign.statement(about or subject)
        signature = signed(by.private, cosign.preauthenticated(said))
        taken = [self.entry("dsse", statement_record(said, signature, by.pem) if body is None else body, at)]
        material = {
            "certificate": {"rawBytes": b64(by.certificate.public_bytes(Encoding.DER))},
            "tlogEntries": taken if entries is None else list(entries),
        }
        cosign.attach_bundle(registry, subject, said, signature, material)


def record(data: bytes, signature: bytes, pem: bytes) -> bytes:
    """What the log keeps of a simple signature."""
    spec = {
        "data": {"hash": {"algorithm": "sha256", "value": hashlib.sha256(data).hexdigest()}},
        "signature": {"content": b64(signature), "publicKey": {"content": b64(pem)}},
    }
    return canonical({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": spec})


def statement_record(said: bytes, signature: bytes, pem: bytes) -> bytes:
    """What the log keeps of a signed statement."""
    spec = {
        "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(said).hexdigest()},
        "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(said).hexdigest()},
        "signatures": [{"signature": b64(signature), "verifier": b64(pem)}],
    }
    return canonical({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

"""Signatures in the forms that cosign makes, with keys of the test."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fakes.registry import EMPTY, IMAGE, Registry

PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGN = "https://sigstore.dev/cosign/sign/v1"


@dataclass(frozen=True)
class Key:
    public: bytes
    sign: Callable[[bytes], bytes]


def key(sort: str = "ecdsa") -> Key:
    match sort:
        case "ecdsa":
            made = ec.generate_private_key(ec.SECP256R1())
            return Key(_pem(made), lambda data: made.sign(data, ec.ECDSA(hashes.SHA256())))
        case "rsa":
            large = rsa.generate_private_key(65537, 2048)
            return Key(_pem(large), lambda data: large.sign(data, padding.PKCS1v15(), hashes.SHA256()))
        case _:
            small = ed25519.Ed25519PrivateKey.generate()
            return Key(_pem(small), small.sign)


def _pem(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def payload(digest: str) -> bytes:
    critical = {
        "identity": {"docker-reference": "registry.example.org/team/app"},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }
    return json.dumps({"critical": critical, "optional": None}).encode()


def sign(registry: Registry, subject: str, by: Key, *, about: str = "", referring: bool = False) -> None:
    """A simple signing payload, behind the tag that cosign 2 uses or as a referrer."""
    data = payload(about or subject)
    signature = base64.b64encode(by.sign(data)).decode()
    layer = {
        **registry.blob(data, PAYLOAD),
        "annotations": {"dev.cosignproject.cosign/signature": signature},
    }
    if referring:
        kind = "application/vnd.dev.cosign.artifact.sig.v1+json"
        registry.artifact(layers=[layer], subject={"digest": subject}, artifactType=kind)
    else:
        registry.artifact(layers=[layer], tag=f"{subject.replace(':', '-')}.sig")


def statement(digest: str, predicate: str = SIGN) -> bytes:
    about = {"digest": {"sha256": digest.removeprefix("sha256:")}}
    found = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [about],
        "predicateType": predicate,
        "predicate": {},
    }
    return json.dumps(found).encode()


def preauthenticated(said: bytes) -> bytes:
    """What is signed of a statement."""
    kind = "application/vnd.in-toto+json"
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(said), said)


def bundle(registry: Registry, subject: str, by: Key, *, about: str = "", predicate: str = SIGN) -> None:
    """A bundle as cosign 3 makes it, as a referrer of its subject."""
    said = statement(about or subject, predicate)
    attach_bundle(registry, subject, said, by.sign(preauthenticated(said)), {"publicKey": {"hint": "a"}})


def attach_bundle(
    registry: Registry, subject: str, said: bytes, signature: bytes, material: Mapping[str, object]
) -> None:
    envelope = {
        "payload": base64.b64encode(said).decode(),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"sig": base64.b64encode(signature).decode()}],
    }
    raw = json.dumps({"mediaType": BUNDLE, "verificationMaterial": material, "dsseEnvelope": envelope}).encode()
    document = {
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "artifactType": BUNDLE,
        "config": registry.blob(b"{}", EMPTY),
        "layers": [registry.blob(raw, BUNDLE)],
        "subject": {"mediaType": IMAGE, "digest": subject, "size": 1},
    }
    registry.manifest(json.dumps(document).encode())

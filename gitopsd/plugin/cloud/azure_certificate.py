"""A client of Entra ID that proves itself by a certificate: a statement signed with its key, without a request."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from datetime import datetime

from gitopsd.model.errors import Rejected
from gitopsd.plugin.cloud import jwt
from gitopsd.plugin.cloud.azure import Client, Proof
from gitopsd.plugin.sources import access

_LIFE = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Certificate and RSA key in one file, PEM or PKCS#12, as Azure's tools write it; `chain`: it is sent along."""

    content: bytes = field(repr=False)
    password: str = field(default="", repr=False)
    chain: bool = False


def proof(it: Client, certificate: Certificate, now: datetime) -> Proof:
    """What `azure.of_client` asks for. It raises `Rejected` for a file that holds no certificate with its RSA key."""

    async def signed() -> str:
        der, key = _read(certificate, it.place)
        head: dict[str, object] = {"x5t#S256": _digest(der)}
        if certificate.chain:
            head["x5c"] = [base64.b64encode(der).decode()]
        begin = int(now.timestamp())
        claims: dict[str, str | int] = {
            "aud": it.url,
            "iss": it.client,
            "sub": it.client,
            "jti": secrets.token_hex(16),
            "nbf": begin,
            "exp": begin + _LIFE,
        }
        try:
            return jwt.signed(claims, key, head, pss=True)
        except ValueError as error:
            raise _unfit(it.place) from error

    return signed


def _read(certificate: Certificate, place: str) -> tuple[bytes, bytes]:
    """The certificate as DER, and its key as PEM without a password."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    password = certificate.password.encode() or None
    try:
        if b"-----BEGIN" in certificate.content:
            found = x509.load_pem_x509_certificate(certificate.content)
            key = serialization.load_pem_private_key(_key(certificate.content), password)
        else:
            given, other, _ = pkcs12.load_key_and_certificates(certificate.content, password)
            if given is None or other is None:
                raise ValueError("no key or no certificate")
            found, key = other, given
        plain = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise _unfit(place) from error
    return found.public_bytes(serialization.Encoding.DER), plain


def _key(content: bytes) -> bytes:
    """The part of a PEM file that is the key, wherever it stands."""
    begin = next((at for at in _begins(content) if b"PRIVATE KEY-----" in content[at : at + 40]), None)
    if begin is None:
        raise ValueError("no private key")
    return content[begin:]


def _begins(content: bytes) -> list[int]:
    found, at = [], content.find(b"-----BEGIN ")
    while at >= 0:
        found.append(at)
        at = content.find(b"-----BEGIN ", at + 1)
    return found


def _digest(der: bytes) -> str:
    import hashlib

    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")


def _unfit(place: str) -> Rejected:
    return Rejected(
        f"{place}: clientCertificate is no certificate with its RSA key (PEM or PKCS#12), or clientCertificatePassword does not "
        "open it",
        reason=access.FAILED,
    )

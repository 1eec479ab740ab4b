"""A client of Entra ID that is known by a certificate: it proves itself by a statement that it signs."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass, field

from gitopsd.model.errors import Rejected
from gitopsd.plugin.cloud import jwt
from gitopsd.plugin.cloud.azure import Client, Proof
from gitopsd.plugin.context import Context
from gitopsd.plugin.sources import access

_LIFE = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Certificate and RSA key together: PEM, or PKCS#12 as it is or in base64. `chain`: the certificates are sent along."""

    content: bytes = field(repr=False)
    password: str = field(default="", repr=False)
    chain: bool = False


def proof(it: Client, certificate: Certificate, ctx: Context) -> Proof:
    """What signs such a statement each time, for `azure.of_client`. Raises `Rejected` for what is no certificate with its key."""
    key, found = _read(certificate, it.place)
    ctx.conceal(certificate.password.encode())

    async def statement() -> str:
        now = int(ctx.now().timestamp())
        claims: dict[str, str | int] = {"aud": it.url, "iss": it.client, "sub": it.client, "jti": str(uuid.uuid4())}
        head: dict[str, str | list[str]] = {"x5t": _thumbprint(found[0])}
        if certificate.chain:
            head["x5c"] = [base64.b64encode(one).decode() for one in found]
        try:
            return jwt.signed({**claims, "nbf": now, "iat": now, "exp": now + _LIFE}, key, head)
        except ValueError as error:
            raise _unfit(it.place) from error

    return statement


def _thumbprint(der: bytes) -> str:
    import hashlib

    return base64.urlsafe_b64encode(hashlib.sha1(der, usedforsecurity=False).digest()).decode().rstrip("=")


def _read(certificate: Certificate, place: str) -> tuple[bytes, list[bytes]]:
    """The key in PEM, unencrypted, and the certificates in DER, the client's own first."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    content, password = certificate.content, certificate.password.encode() or None
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        if b"-----BEGIN" in content:
            key = serialization.load_pem_private_key(content, password)
            found = x509.load_pem_x509_certificates(content)
        else:
            der = content if content[:1] == b"\x30" else base64.b64decode(content, validate=True)
            loaded, own, more = pkcs12.load_key_and_certificates(der, password)
            key, found = loaded, [one for one in (own, *more) if one is not None]  # type: ignore[assignment]
        if not found:
            raise ValueError("no certificate")
        return key.private_bytes(*plain), [one.public_bytes(serialization.Encoding.DER) for one in found]
    except (ValueError, TypeError, AttributeError):
        raise _unfit(place) from None  # the cause might quote what stands there


def _unfit(place: str) -> Rejected:
    return Rejected(
        f"{place}: clientCertificate is no certificate with its private RSA key, in PEM or as PKCS#12, or "
        "clientCertificatePassword does not fit",
        reason=access.FAILED,
    )

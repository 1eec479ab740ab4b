"""A client of Entra ID that is known by a certificate: it proves itself by a statement that it signs."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from gitopsd.plugin import Context, Misconfigured
from gitopsd.plugin.cloud import jwt

if TYPE_CHECKING:
    from gitopsd_plugins.azure.service import Held

_LIFE = 600


def proof(held: Held, audience: str, place: str, ctx: Context) -> Callable[[], Awaitable[str]]:
    """What signs such a statement each time. Raises `Misconfigured` for what is no certificate with its key."""
    key, chain = _read(held, place)
    ctx.conceal(held.client_certificate_password.encode())

    async def statement() -> str:
        now = int(ctx.now().timestamp())
        claims: dict[str, str | int] = {
            "aud": audience,
            "iss": held.client_id,
            "sub": held.client_id,
            "jti": str(uuid.uuid4()),
        }
        head: dict[str, str | list[str]] = {"x5t": _thumbprint(chain[0])}
        if held.client_certificate_send_chain:
            head["x5c"] = [base64.b64encode(one).decode() for one in chain]
        return jwt.signed({**claims, "nbf": now, "iat": now, "exp": now + _LIFE}, key, head)

    return statement


def _thumbprint(der: bytes) -> str:
    import hashlib

    return base64.urlsafe_b64encode(hashlib.sha1(der, usedforsecurity=False).digest()).decode().rstrip("=")


def _read(held: Held, place: str) -> tuple[bytes, list[bytes]]:
    """The key in PEM, unencrypted, and the certificates in DER, the client's own first. PEM, or PKCS#12 in base64."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    text, password = held.client_certificate.encode(), held.client_certificate_password.encode() or None
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        if b"-----BEGIN" in text:
            key = serialization.load_pem_private_key(text, password)
            found = x509.load_pem_x509_certificates(text)
        else:
            loaded, own, more = pkcs12.load_key_and_certificates(base64.b64decode(text, validate=True), password)
            key, found = loaded, [one for one in (own, *more) if one is not None]  # type: ignore[assignment]
        return key.private_bytes(*plain), [one.public_bytes(serialization.Encoding.DER) for one in found]
    except (ValueError, TypeError, AttributeError):
        raise Misconfigured(
            f"{place}: clientCertificate is no certificate with its private key, in PEM or as PKCS#12 in base64, or "
            "clientCertificatePassword does not fit"
        ) from None

"""A signed statement (JSON Web Token, RS256), as services take it from whoever holds a private key. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import msgspec


def signed(claims: Mapping[str, str | int], key: bytes, head: Mapping[str, str | list[str]] = {}) -> str:
    """The claims, signed with an RSA key in PEM form. Raises ValueError for what is no such key."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    try:
        private = serialization.load_pem_private_key(key, password=None)
    except TypeError as error:
        raise ValueError("the key has a password") from error
    if not isinstance(private, rsa.RSAPrivateKey):
        raise ValueError("is no RSA key")
    text = b".".join(_coded(msgspec.json.encode(part)) for part in ({"alg": "RS256", "typ": "JWT", **head}, claims))
    return (text + b"." + _coded(private.sign(text, padding.PKCS1v15(), hashes.SHA256()))).decode("ascii")


def _coded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")

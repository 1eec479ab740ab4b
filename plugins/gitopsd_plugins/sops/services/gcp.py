"""Google Cloud KMS, with the JSON of a service account: a token is asked for with a signed statement, then the key."""

from __future__ import annotations

import base64
import binascii
import json
import re

from gitopsd.plugin import Context, Lock, Misconfigured, Rejected
from gitopsd_plugins.sops.keyring import Key
from gitopsd_plugins.sops.services import call

_NAME = re.compile(r"projects/[^/\s]+/locations/[^/\s]+/keyRings/[^/\s]+/cryptoKeys/[^/\s?#]+")
_SCOPE = "https://www.googleapis.com/auth/cloudkms"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TOKENS = "https://oauth2.googleapis.com/token"
_LIFE = 600


async def opened(lock: Lock, key: Key, ctx: Context) -> bytes:
    """The data key or share."""
    name = lock.fields["resource_id"]
    named = f"Google Cloud KMS, key {name}"
    if not _NAME.fullmatch(name):
        raise Rejected(f"{named}: is no name of a key", reason=call.FAILED)
    account = _account(key)
    token = await _token(account, key, ctx)
    address = (
        account.get("endpoint", "").rstrip("/")
        or f"https://cloudkms.{account.get('universe_domain', 'googleapis.com')}"
    )
    headers = {"Authorization": f"Bearer {token}"}
    answer = await call.post(
        f"{address}/v1/{name}:decrypt", {"ciphertext": lock.fields["enc"]}, ctx, headers=headers, named=named
    )
    try:
        return base64.b64decode(answer["plaintext"], validate=True)
    except (KeyError, TypeError, binascii.Error):
        raise Rejected(f"{named}: answered without a plaintext", reason=call.FAILED) from None


async def _token(account: dict[str, str], key: Key, ctx: Context) -> str:
    url = account.get("token_uri") or _TOKENS
    now = int(ctx.now().timestamp())
    claims: dict[str, str | int] = {
        "iss": account["client_email"],
        "scope": _SCOPE,
        "aud": url,
        "iat": now,
        "exp": now + _LIFE,
    }
    body = {"grant_type": _GRANT, "assertion": _statement(claims, account, key)}
    named = f"Google's tokens for {account['client_email']}"
    answer = await call.form(url, body, ctx, named=named)
    token = answer.get("access_token")
    if not isinstance(token, str):
        raise Rejected(f"{named}: answered without a token", reason=call.FAILED)
    ctx.conceal(token.encode())
    return token


def _statement(claims: dict[str, str | int], account: dict[str, str], key: Key) -> str:
    """The claims as a signed JSON Web Token."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    head = {"alg": "RS256", "typ": "JWT", "kid": account.get("private_key_id", "")}
    text = f"{_part(json.dumps(head).encode())}.{_part(json.dumps(claims).encode())}"
    try:
        private = serialization.load_pem_private_key(account["private_key"].encode(), None)
    except (ValueError, TypeError):
        raise _unfit(key) from None
    if not isinstance(private, rsa.RSAPrivateKey):
        raise _unfit(key)
    return f"{text}.{_part(private.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _account(key: Key) -> dict[str, str]:
    try:
        found = json.loads(key.content)
    except ValueError:
        raise _unfit(key) from None
    wanted = ("client_email", "private_key")
    if not isinstance(found, dict) or not all(isinstance(found.get(name), str) for name in wanted):
        raise _unfit(key)
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _unfit(key: Key) -> Misconfigured:
    return Misconfigured(
        f"{key.place}: must be the JSON of a service account, with client_email and private_key", reason=call.FAILED
    )

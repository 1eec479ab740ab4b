"""`provider: github`: the token of a GitHub App's installation, by the keys that Flux's Secret holds."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import msgspec

from gitopsd.plugin import Context, Digest, Rejected, digest
from gitopsd.plugin.sources import access
from gitopsd.plugin.sources.access import Given
from gitopsd_plugins.git.login import api
from gitopsd_plugins.git.login.tokens import Token

API = "https://api.github.com"
USER = "x-access-token"
MAX_PAGES = 20

_DRIFT, _LIFE = 30, 120
_KEYS = (
    "githubAppID",
    "githubAppInstallationID",
    "githubAppInstallationOwner",
    "githubAppPrivateKey",
    "githubAppBaseURL",
)


def key(given: Given) -> Digest:
    """What a token is kept under: other credentials, other token."""
    return digest.of_value([given.data.get(name, b"").hex() for name in _KEYS])


async def token(given: Given, ctx: Context) -> Token:
    """A new token of the installation. Raises `Rejected` for a Secret that lacks a key, or what GitHub refuses."""
    base = given.text("githubAppBaseURL").strip().rstrip("/") or API
    if not base.startswith(("https://", "http://")):
        raise access.wrong(f"{given.label}: githubAppBaseURL is no http URL")
    headers = {"Authorization": f"Bearer {_signed(given, ctx.now())}", "Accept": "application/vnd.github+json"}
    asking: dict[str, Any] = {"headers": headers, "tls": access.tls(given), "what": f"the GitHub API at {base}"}
    installation = await _installation(given, base, asking, ctx)
    answer = await api.ask(ctx, "POST", f"{base}/app/installations/{installation}/access_tokens", body={}, **asking)
    try:
        found = msgspec.convert(answer, _Answer)
    except msgspec.ValidationError as error:
        raise Rejected(f"the GitHub API at {base} answered without a token", reason=access.FAILED) from error
    ctx.conceal(found.token.encode())
    return Token(value=found.token, expires=found.expires_at)


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    token: str
    expires_at: datetime


async def _installation(given: Given, base: str, asking: dict[str, Any], ctx: Context) -> str:
    number, owner = given.text("githubAppInstallationID").strip(), given.text("githubAppInstallationOwner").strip()
    if bool(number) == bool(owner):
        raise access.wrong(f"{given.label} needs githubAppInstallationID or githubAppInstallationOwner, and not both")
    if number:
        if not number.isdigit():
            raise access.wrong(f"{given.label}: githubAppInstallationID is no number")
        return number
    for page in range(1, MAX_PAGES + 1):
        found = await api.ask(ctx, "GET", f"{base}/app/installations?per_page=100&page={page}", **asking)
        if not isinstance(found, list) or not found:
            break
        for one in found:
            account = one.get("account") if isinstance(one, dict) else None
            if isinstance(account, dict) and str(account.get("login", "")).lower() == owner.lower():
                return str(one.get("id"))
    raise Rejected(
        f"{given.label}: the app is not installed at {owner!r}; check githubAppInstallationOwner", reason=access.FAILED
    )


def _signed(given: Given, now: datetime) -> str:
    """The app's own word for who it is, good for two minutes."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    app = given.text("githubAppID").strip()
    if not app.isdigit():
        raise access.wrong(f"{given.label} needs githubAppID, a number")
    try:
        private = serialization.load_pem_private_key(given.data.get("githubAppPrivateKey", b""), password=None)
    except (ValueError, TypeError) as error:
        raise access.wrong(f"{given.label}: githubAppPrivateKey is no private key in PEM form") from error
    if not isinstance(private, rsa.RSAPrivateKey):
        raise access.wrong(f"{given.label}: githubAppPrivateKey is no RSA key")
    begin = int(now.astimezone(UTC).timestamp()) - _DRIFT
    claims = {"iat": begin, "exp": begin + _LIFE, "iss": app}
    text = b".".join(_coded(msgspec.json.encode(part)) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
    return (text + b"." + _coded(private.sign(text, padding.PKCS1v15(), hashes.SHA256()))).decode("ascii")


def _coded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def holds_app(given: Given) -> bool:
    """Whether a Secret is about a GitHub App."""
    return "githubAppID" in given.data

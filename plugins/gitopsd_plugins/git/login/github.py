"""`provider: github`: the token of a GitHub App's installation, by the keys that Flux's Secret holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from gitopsd.plugin import Context, Digest, Rejected, digest
from gitopsd.plugin.cloud import Token, ask, jwt
from gitopsd.plugin.cloud.ask import Ask
from gitopsd.plugin.sources import access
from gitopsd.plugin.sources.access import Given

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
    """What stands for the app: other credentials, other token."""
    return digest.of_value([given.data.get(name, b"").hex() for name in _KEYS])


async def token(given: Given, ctx: Context, timeout: float) -> Token:
    """The token of the installation. Raises `Rejected` for a Secret that lacks a key, or what GitHub refuses."""
    asked = ("github", key(given), ctx.http.proxies)
    return await ctx.kept.get(asked, ctx.now(), lambda: _fresh(given, ctx, timeout))


async def _fresh(given: Given, ctx: Context, timeout: float) -> Token:
    base = given.text("githubAppBaseURL").strip().rstrip("/") or API
    if not base.startswith(("https://", "http://")):
        raise access.wrong(f"{given.label}: githubAppBaseURL is no http URL")
    headers = {"Authorization": f"Bearer {_signed(given, ctx.now())}", "Accept": "application/vnd.github+json"}
    asking = Ask(
        url=base,
        headers=headers,
        tls=access.tls(given),
        own=False,
        what=f"the GitHub API at {base}",
        remedy="check spec.provider and its credentials",
    )
    installation = await _installation(given, asking, ctx, timeout)
    url = f"{base}/app/installations/{installation}/access_tokens"
    answer = await ask.value(replace(asking, method="POST", url=url, data=b"{}"), ctx, timeout)
    try:
        found = msgspec.convert(answer, _Answer)
    except msgspec.ValidationError as error:
        raise ask.unusable(asking) from error
    ctx.conceal(found.token.encode())
    return Token(value=found.token, until=found.expires_at)


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    token: str
    expires_at: datetime


async def _installation(given: Given, asking: Ask, ctx: Context, timeout: float) -> str:
    number, owner = given.text("githubAppInstallationID").strip(), given.text("githubAppInstallationOwner").strip()
    if bool(number) == bool(owner):
        raise access.wrong(f"{given.label} needs githubAppInstallationID or githubAppInstallationOwner, and not both")
    if number:
        if not number.isdigit():
            raise access.wrong(f"{given.label}: githubAppInstallationID is no number")
        return number
    for page in range(1, MAX_PAGES + 1):
        url = f"{asking.url}/app/installations?per_page=100&page={page}"
        found: Any = await ask.value(replace(asking, url=url), ctx, timeout)
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
    app = given.text("githubAppID").strip()
    if not app.isdigit():
        raise access.wrong(f"{given.label} needs githubAppID, a number")
    begin = int(now.astimezone(UTC).timestamp()) - _DRIFT
    claims: dict[str, str | int] = {"iat": begin, "exp": begin + _LIFE, "iss": app}
    try:
        return jwt.signed(claims, given.data.get("githubAppPrivateKey", b""))
    except ValueError as error:
        raise access.wrong(f"{given.label}: githubAppPrivateKey is no private RSA key in PEM form") from error


def holds_app(given: Given) -> bool:
    """Whether a Secret is about a GitHub App."""
    return "githubAppID" in given.data

"""Tokens of Microsoft Entra ID that AKS clusters take, over plain HTTP: by a client's secret, or by a token of a service
account that the client trusts (workload identity federation). What it knows of an identity is a Secret of the home.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from gitopsd.plugin import AccountToken, Context, GitopsdError, Misconfigured, Rejected, Transient
from gitopsd_plugins.kubernetes.access import kubefile

AUDIENCES = ("api://AzureADTokenExchange",)
"""Whom a service account's token is made out to, to be exchanged."""
_SCOPE = "6dae42f8-4368-4678-94ff-3960e28e3630/.default"
"""The application that all AKS clusters are to Entra ID."""
_AUTHORITY = "https://login.microsoftonline.com"
_FEDERATED = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TIMEOUT, _MOST = 30.0, 1 << 20
_BUSY = frozenset({408, 429, 500, 502, 503, 504})

Assertion = Callable[[], Awaitable[str]]
"""A token of the service account, asked for where there is no client secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whose token is asked for, and where."""

    where: str
    tenant: str
    client: str
    secret: str = field(repr=False)
    authority: str


def identity(data: Mapping[str, bytes], where: str) -> Identity:
    """PURE. From the keys `tenantId`, `clientId`, `clientSecret` and `authorityHost`, the last two optional."""
    text = {key: data.get(key, b"").decode("utf-8", "replace").strip() for key in ("tenantId", "clientId")}
    for key, found in text.items():
        if not found:
            raise Misconfigured(f"{where} lacks the key {key} of the Azure identity")
    authority = data.get("authorityHost", b"").decode("utf-8", "replace").strip().rstrip("/") or _AUTHORITY
    parts = urlsplit(authority)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in kubefile.LOOPBACK):
        raise Misconfigured(f"{where}: authorityHost {authority!r} is not an https address")
    return Identity(
        where=where,
        tenant=text["tenantId"],
        client=text["clientId"],
        secret=data.get("clientSecret", b"").decode("utf-8", "replace").strip(),
        authority=authority,
    )


async def token(it: Identity, assertion: Assertion, ctx: Context) -> AccountToken:
    """A new access token for AKS. Raises `Rejected` with Entra's words, `Transient` where it does not answer."""
    form = {"grant_type": "client_credentials", "client_id": it.client, "scope": _SCOPE}
    if it.secret:
        form["client_secret"] = it.secret
    else:
        form |= {"client_assertion_type": _FEDERATED, "client_assertion": await assertion()}
    status, answer = await _asked(f"{it.authority}/{quote(it.tenant, safe='')}/oauth2/v2.0/token", form, it, ctx)
    value, seconds = answer.get("access_token"), answer.get("expires_in")
    if status != 200 or not isinstance(value, str) or not isinstance(seconds, int):
        raise _refused(status, answer, it)
    ctx.conceal(value.encode())
    return AccountToken(value=value, expires=ctx.now() + timedelta(seconds=seconds))


async def _asked(url: str, form: Mapping[str, str], it: Identity, ctx: Context) -> tuple[int, Mapping[str, Any]]:
    import aiohttp

    try:
        async with (
            ctx.http.session(timeout=_TIMEOUT) as session,
            session.post(url, data=form, proxy=ctx.http.proxy(url), allow_redirects=False) as response,
        ):
            content = await response.content.read(_MOST)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        words = str(error) or type(error).__name__
        raise Transient(f"{it.where}: {it.authority} gave no token: {words}") from error
    try:
        answer = msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.DecodeError:
        answer = {}
    return response.status, answer


def _refused(status: int, answer: Mapping[str, Any], it: Identity) -> GitopsdError:
    words = str(answer.get("error_description") or answer.get("error") or "no token in the answer").splitlines()[0][
        :400
    ]
    text = f"{it.where}: {it.authority} gave no token to the client {it.client} (HTTP {status}): {words}"
    return Transient(text) if status in _BUSY else Rejected(text, reason="Unauthorized")

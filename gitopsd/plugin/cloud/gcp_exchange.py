"""The requests by which Google gives a token for another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gitopsd.plugin.cloud import ask as asking
from gitopsd.plugin.cloud.ask import Ask
from gitopsd.plugin.cloud.lent import Token, ending, lasting
from gitopsd.plugin.context import Context

EVERYTHING = "https://www.googleapis.com/auth/cloud-platform"
"""The one scope that a token for impersonation needs."""
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_WANTED = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A token of somebody else's that Google trusts. `who` it is of is for messages; `audience` how Google calls the issuer."""

    url: str
    audience: str
    who: str
    subject: str = field(repr=False)
    sort: str = JWT


async def exchanged(it: Exchange, scopes: str, ctx: Context, timeout: float) -> Token:
    """Google's token for it. Raises `Rejected` and `Transient`."""
    form = {
        "grant_type": _EXCHANGE,
        "audience": it.audience,
        "scope": scopes,
        "requested_token_type": _WANTED,
        "subject_token": it.subject,
        "subject_token_type": it.sort,
    }
    ask = Ask(
        method="POST",
        url=it.url,
        data=form,
        what=f"Google's token service at {it.url} for {it.who}",
        remedy="check the workload identity provider: issuer, audience and attribute condition",
    )
    return granted(await asking.json(ask, ctx, timeout), ask, ctx)


async def impersonated(by: Token, url: str, scopes: str, ctx: Context, timeout: float) -> Token:
    """A token of the service account that the URL names (`...:generateAccessToken`). Raises `Rejected` and `Transient`."""
    ask = Ask(
        method="POST",
        url=url,
        headers={"Authorization": f"Bearer {by.value}", "Content-Type": "application/json"},
        data=msgspec.json.encode({"scope": scopes.split(), "lifetime": "3600s"}),
        what=f"Google's credentials at {url}",
        remedy="has it the role iam.workloadIdentityUser on this service account?",
    )
    found = await asking.json(ask, ctx, timeout)
    value = asking.word(found, "accessToken", ask)
    ctx.conceal(value.encode())
    return Token(value=value, until=ending(ctx.now(), found.get("expireTime"), ask.what))


def granted(found: Mapping[str, Any], ask: Ask, ctx: Context) -> Token:
    """The token in an answer. Raises `Rejected` where there is none."""
    value = asking.word(found, "access_token", ask)
    ctx.conceal(value.encode())
    return Token(value=value, until=lasting(ctx.now(), found.get("expires_in"), ask.what))

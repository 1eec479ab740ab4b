"""A login that a cloud lends for a while, and the one way to ask for it: JSON over HTTP, small, without redirects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from gitopsd.plugin import Context, Rejected, Transient
from gitopsd.plugin.oci import Credential
from gitopsd.plugin.sources import access, follow, network

MAX_ANSWER = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Lent:
    """A login and when it ends."""

    credential: Credential
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request. `direct` goes past any proxy: the machine's own metadata service is behind none."""

    method: str
    url: str
    headers: Mapping[str, str]
    data: bytes | Mapping[str, str] | None = None
    direct: bool = False


async def text(ask: Ask, ctx: Context, timeout: float) -> str:
    """The answer as text. Raises `Transient` and `Rejected`, never with what was sent."""
    what = follow.place(ask.url)
    proxy, socks = (None, "") if ask.direct else (ctx.http.proxy(ask.url), ctx.http.socks(ask.url))
    with network.translated(what, timeout=timeout, reason=access.FAILED):
        async with (
            ctx.http.session(limit=1, timeout=min(timeout, 10.0), proxy=socks) as session,
            session.request(
                ask.method,
                follow.exact(ask.url),
                headers=ask.headers,
                data=ask.data,
                proxy=proxy,
                allow_redirects=False,
            ) as response,
        ):
            body = await network.body(response, MAX_ANSWER, what, reason=access.FAILED)
            if response.status == 200:
                return body.decode("utf-8", "replace")
    if response.status == 429 or response.status >= 500:
        raise Transient(f"{what} answered {response.status}; it is asked again later", reason=access.FAILED)
    raise Rejected(f"{what} lends no login ({response.status}); has this machine an identity?", reason=access.FAILED)


async def json(ask: Ask, ctx: Context, timeout: float) -> Mapping[str, Any]:
    """As `text`, decoded."""
    said = await text(ask, ctx, timeout)
    try:
        return msgspec.json.decode(said, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise unusable(ask.url) from error


def word(found: Mapping[str, Any], name: str, url: str) -> str:
    """A text of an answer. Raises `Rejected` where there is none."""
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise unusable(url)
    return value


def unusable(url: str) -> Rejected:
    """The error for an answer that holds no login."""
    return Rejected(f"{follow.place(url)} answered with no login", reason=access.FAILED)

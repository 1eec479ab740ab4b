"""One request to whoever lends, over plain HTTP: small answers, no redirects, errors that name the place and no secret.

Each takes a turn at its host, as all requests of sources do. Whoever needs what is lent asks for it before the turn at the
host where it is used: a turn is not held while another host thinks, and none waits for a second one at the same host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import msgspec

from gitopsd.model.errors import GitopsdError, Rejected, Transient
from gitopsd.plugin import follow, hosts
from gitopsd.plugin.context import Context
from gitopsd.plugin.egress import ForbiddenAddress
from gitopsd.plugin.hosts import HostFailed
from gitopsd.plugin.http import Tls
from gitopsd.plugin.sources import access, network

MAX_ANSWER = 1 << 20
_BUSY = frozenset({408, 425})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request. `what` names who is asked in messages, `remedy` what to do where the answer is no."""

    url: str
    what: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    data: bytes | Mapping[str, str] | None = field(default=None, repr=False)
    tls: Tls | None = None
    own: bool = True
    """The operator or the cloud named the address; False for one out of an object, which the settings of the network hold for."""
    direct: bool = False
    """Past any proxy: the machine's own metadata service is behind none."""
    remedy: str = ""


async def text(ask: Ask, ctx: Context, timeout: float) -> bytes:
    """The body of an answer with status 2xx.

    Raises `Rejected` where it is no, with the other side's words; `Transient` where nobody answers, or asks for patience.
    """
    url, what = ask.url, ask.what
    _check(ask, ctx)
    proxy, socks = (None, "") if ask.direct else (ctx.http.proxy(url), ctx.http.socks(url))
    data = dict(ask.data) if isinstance(ask.data, Mapping) else ask.data
    host = hosts.name(url)
    async with ctx.hosts.turn(host):
        with network.translated(what, timeout=timeout, reason=access.FAILED):
            async with (
                ctx.http.session(tls=ask.tls, limit=1, timeout=timeout, proxy=socks, anywhere=ask.own) as session,
                session.request(
                    ask.method, follow.exact(url), headers=ask.headers, data=data, proxy=proxy, allow_redirects=False
                ) as response,
            ):
                body = await network.body(response, MAX_ANSWER, what, reason=access.FAILED)
                after = hosts.pause(response.headers, ctx.now())
        if not 200 <= response.status < 300:
            raise _refused(ask, response.status, body, after)
        ctx.hosts.heed(host, after)
        return body


async def value(ask: Ask, ctx: Context, timeout: float) -> Any:
    """As `text`, for an answer in JSON."""
    body = await text(ask, ctx, timeout)
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise unusable(ask) from error


async def json(ask: Ask, ctx: Context, timeout: float) -> Mapping[str, Any]:
    """As `value`, for an answer that is a JSON object."""
    found = await value(ask, ctx, timeout)
    if not isinstance(found, Mapping):
        raise unusable(ask)
    return found


async def xml(ask: Ask, ctx: Context, timeout: float) -> Mapping[str, str]:
    """As `text`, for an answer in XML: the texts of its leaves, by their names without namespace."""
    found = _leaves(await text(ask, ctx, timeout))
    if found is None:
        raise unusable(ask)
    return found


def word(found: Mapping[str, Any], name: str, ask: Ask) -> str:
    """A text of an answer. Raises `Rejected` where there is none."""
    value = found.get(name)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise unusable(ask)
    return value


def unusable(ask: Ask) -> Rejected:
    """The error for an answer that is not what was asked for."""
    return Rejected(f"{ask.what} answered with nothing that could be used", reason=access.FAILED)


def _check(ask: Ask, ctx: Context) -> None:
    try:
        address = urlsplit(ask.url)
        usable = address.scheme in {"http", "https"} and bool(address.hostname) and address.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise Rejected(f"{ask.what}: is no address", reason=access.FAILED)
    if ask.own:
        return
    try:
        ctx.http.egress.check_url(ask.url)
    except ForbiddenAddress as error:
        raise Rejected(f"{ask.what}: {error}", reason=access.FAILED) from error


def _refused(ask: Ask, status: int, body: bytes, after: float | None) -> GitopsdError:
    words = " ".join(_words(body).split())[:300]
    message = f"{ask.what} answered {status}" + (f": {words}" if words else "")
    later = f"{message}; it is asked again later"
    if status >= 500 or status == 429 or (status == 403 and after is not None):
        return HostFailed(later, reason=access.FAILED, retry_after=after)
    if status in _BUSY:
        return Transient(later, reason=access.FAILED, retry_after=after)
    return Rejected(message + (f"; {ask.remedy}" if ask.remedy else ""), reason=access.FAILED)


def _words(body: bytes) -> str:
    """The other side's own words, in whichever of the usual places they stand."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = _leaves(body) or {}
    if not isinstance(found, Mapping):
        return ""
    inner = found.get("error")
    if isinstance(inner, Mapping):
        return str(inner.get("message") or "")
    listed = found.get("errors")
    if isinstance(listed, list):
        return "; ".join(map(str, listed))
    words = str(found.get("error_description") or found.get("message") or found.get("Message") or "")
    return (words or str(inner or found.get("__type") or "")).split("\r\n")[0]


def _leaves(body: bytes) -> Mapping[str, str] | None:
    """None for what is no XML, or declares anything: entities are how documents grow."""
    if b"<!" in body:
        return None
    try:
        root = ElementTree.fromstring(body.decode())  # as text, so that no other encoding hides what was looked for
    except (ElementTree.ParseError, ValueError):
        return None
    return {leaf.tag.rpartition("}")[2]: (leaf.text or "").strip() for leaf in root.iter() if not len(leaf)}

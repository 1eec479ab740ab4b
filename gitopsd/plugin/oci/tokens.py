"""What a registry asks for before it answers, and the tokens that it gives: kept until shortly before they expire.

A token goes to the registry that asked for it; name and password go to the address that the registry names as its own
token service, never over a connection less safe than the registry's.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import msgspec

from gitopsd.model.errors import Rejected
from gitopsd.plugin import follow, hosts
from gitopsd.plugin.oci import answers
from gitopsd.plugin.oci.credentials import Credential
from gitopsd.plugin.sources import access, network

if TYPE_CHECKING:
    import aiohttp

MAX_KEPT = 4096
MAX_ANSWER = 1 << 20
_LIFETIME = 60
"""Seconds that a token lives where the service does not say."""
_EARLY = timedelta(seconds=10)

# begins at words only, so that a long header is looked at once
_PARAMETER = re.compile(r'(?<![A-Za-z_])([A-Za-z_]++)=(?:"([^"]*)"|([^\s,"]+))')


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What a registry says it wants: `basic`, or `bearer` from the service at `realm`."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The value of the header `Authorization` and when it ends (None: never)."""

    value: str = field(repr=False)
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What a grant is for: a registry, a scope there, and who asks."""

    origin: str
    scope: str
    credential: Credential | None = field(repr=False)
    login_at: str = "spec.secretRef"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How a token service is asked. `proxy` is that for a URL, `turn` a turn at the host of one."""

    session: aiohttp.ClientSession
    proxy: Callable[[str], str | None]
    turn: Callable[[str], AbstractAsyncContextManager[None]]


class Grants:
    """Grants by door; the ones used longest ago make room."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Door, Grant] = OrderedDict()

    def get(self, door: Door, now: datetime) -> str:
        """The header's value; '' where there is none that still holds."""
        found = self._kept.get(door)
        if found is None or (found.until is not None and found.until - _EARLY <= now):
            return ""
        self._kept.move_to_end(door)
        return found.value

    def keep(self, door: Door, grant: Grant) -> None:
        """Keep a grant."""
        self._kept[door] = grant
        self._kept.move_to_end(door)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)

    def drop(self, door: Door) -> None:
        """Forget one that was refused."""
        self._kept.pop(door, None)


def challenge(headers: Sequence[str]) -> Challenge | None:
    """The first demand that can be met, of the values of `WWW-Authenticate`."""
    for header in headers:
        scheme, _, rest = header.strip().partition(" ")
        said = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)}
        if scheme.lower() == "bearer" and said.get("realm"):
            return Challenge(
                scheme="bearer", realm=said["realm"], service=said.get("service", ""), scope=said.get("scope", "")
            )
        if scheme.lower() == "basic":
            return Challenge(scheme="basic")
    return None


async def grant(line: Line, wanted: Challenge, door: Door, now: datetime) -> Grant:
    """Meet a challenge. Raises `Rejected` where that needs a login that there is not, or the service says no."""
    login = door.credential or Credential()
    if login.bearer:
        return Grant(value=f"Bearer {login.bearer}")
    if wanted.scheme == "basic":
        if not login.username:
            raise Rejected(f"{door.origin} asks for a login; name one in {door.login_at}", reason=access.FAILED)
        return Grant(value=access.basic(login.username, login.password))
    # the service is named by the registry, so it is looked at as a redirect is
    realm = follow.target(door.origin, wanted.realm, reason=access.FAILED, how="sends for a token")
    wanted = replace(wanted, realm=realm)
    async with line.turn(realm):
        said = await _token(line, wanted, door, login, now)
    token = said.get("token") or said.get("access_token")
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise Rejected(f"{follow.place(wanted.realm)} gave no token", reason=access.FAILED)
    lifetime = said.get("expires_in")
    seconds = lifetime if isinstance(lifetime, int) and 0 < lifetime < 1 << 31 else _LIFETIME
    return Grant(value=f"Bearer {token}", until=now + timedelta(seconds=seconds))


async def _token(line: Line, wanted: Challenge, door: Door, login: Credential, now: datetime) -> Mapping[str, Any]:
    asked = {"service": wanted.service, "scope": door.scope or wanted.scope}
    if login.identity:
        form = {**asked, "grant_type": "refresh_token", "client_id": "gitopsd", "refresh_token": login.identity}
        request = line.session.post(wanted.realm, data=form, proxy=line.proxy(wanted.realm), allow_redirects=False)
    else:
        headers = {"Authorization": access.basic(login.username, login.password)} if login.username else {}
        joint = "&" if urlsplit(wanted.realm).query else "?"
        url = wanted.realm + joint + urlencode({name: value for name, value in asked.items() if value})
        request = line.session.get(follow.exact(url), headers=headers, proxy=line.proxy(url), allow_redirects=False)
    async with request as response:
        body = await network.body(response, MAX_ANSWER, follow.place(wanted.realm), reason=access.FAILED)
        if response.status != 200:
            place, login_is = follow.place(wanted.realm), door.credential is not None
            wait = hosts.pause(response.headers, now)
            raise answers.refused(response, body, place, login=login_is, at=door.login_at, wait=wait)
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Rejected(f"{follow.place(wanted.realm)} gave no token", reason=access.FAILED) from error

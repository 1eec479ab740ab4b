"""What opens a source over HTTP: the keys of its Secrets, in Flux's words. Read again at each use, kept nowhere."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from gitopsd.model.errors import NotReady, Rejected
from gitopsd.plugin.context import Context
from gitopsd.plugin.http import Tls

FAILED = "AuthenticationFailed"
"""Flux's reason for credentials that are missing, malformed or refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A Secret's data as it was read; empty where none is named. `label` names field and Secret in messages."""

    data: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    label: str = ""

    def text(self, key: str, default: str = "") -> str:
        """A key's value. Raises `Rejected` where it is not text."""
        try:
            return self.data[key].decode() if key in self.data else default
        except UnicodeDecodeError as error:
            raise wrong(f"{self.label}: the key {key} is not text") from error


async def given(secret: tuple[str, str] | None, ctx: Context, place: str = "spec.secretRef") -> Given:
    """A Secret by (namespace, name), named at `place`. Raises `NotReady` for one that is missing."""
    if secret is None:
        return Given()
    try:
        data = await ctx.credentials.secret(*secret)
    except NotReady as error:
        raise NotReady(str(error), reason=FAILED) from error
    return Given(data=data, label="{}: the secret {}/{}".format(place, *secret))


def basic(username: str, password: str) -> str:
    """The value of the header `Authorization`."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


def authorization(found: Given, user: str = "", password: str = "") -> str:
    """The value of the header `Authorization`, '' without credentials; `user` and `password` are what the URL says.

    Raises `Rejected` for keys that do not go together.
    """
    username, secret = found.text("username", user), found.text("password", password)
    bearer = found.text("bearerToken").strip()
    if bearer and ("username" in found.data or "password" in found.data):
        raise wrong(f"{found.label} holds bearerToken as well as username and password; keep one")
    if "password" in found.data and not username:
        raise wrong(f"{found.label} holds a password without username; add the key username")
    if any(character in bearer for character in "\r\n\0"):
        raise wrong(f"{found.label} holds a bearerToken of several lines; keep the token alone")
    if bearer:
        return f"Bearer {bearer}"
    return basic(username, secret) if username or secret else ""


def tls(found: Given) -> Tls:
    """A private CA and a client certificate. Raises `Rejected` for half a pair."""
    if ("tls.crt" in found.data) != ("tls.key" in found.data):
        raise wrong(f"{found.label} needs tls.crt and tls.key together")
    return Tls(
        ca=found.data.get("ca.crt", found.data.get("caFile", b"")),
        certificate=found.data.get("tls.crt", b""),
        key=found.data.get("tls.key", b""),
    )


def wrong(message: str) -> Rejected:
    """The error for a Secret that cannot be used."""
    # A Secret may be corrected without a change of spec, so this is no stall: it is read again at the next attempt.
    return Rejected(message, reason=FAILED)

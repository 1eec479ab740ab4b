"""What opens a repository: the keys of its Secret, in Flux's words. Read again at each use, kept nowhere.

Whether a host is trusted is decided by what is here: certificates, and for ssh the known hosts, which are required.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from gitopsd.plugin import Context, NotReady, Rejected, Tls
from gitopsd_plugins.git.address import Address
from gitopsd_plugins.git.repository import Repository

FAILED = "AuthenticationFailed"
"""Flux's reason for credentials that are missing, malformed or refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Credentials for one origin. `authorization` is the HTTP header's value; the rest of the text fields is for ssh."""

    authorization: str = field(default="", repr=False)
    tls: Tls = field(default=Tls(), repr=False)
    user: str = "git"
    identity: str = field(default="", repr=False)
    passphrase: str = field(default="", repr=False)
    known_hosts: str = field(default="", repr=False)


async def read(repository: Repository, ctx: Context) -> Access:
    """The credentials of a repository. Raises `NotReady` for a missing Secret, `Rejected` for a wrong key."""
    place = repository.address
    if place.local:
        return Access()
    data: Mapping[str, bytes] = {}
    if repository.secret is not None:
        try:
            data = await ctx.credentials.secret(*repository.secret)
        except NotReady as error:
            raise NotReady(str(error), reason=FAILED) from error
    label = "spec.secretRef: the secret {}/{}".format(*repository.secret) if repository.secret else ""
    texts = {key: _text(key, value, label) for key, value in data.items()}
    return _ssh(place, texts, label) if place.scheme == "ssh" else _http(place, texts, data, label)


def _http(place: Address, texts: Mapping[str, str], data: Mapping[str, bytes], label: str) -> Access:
    username, password = texts.get("username", place.user), texts.get("password", place.password)
    bearer = texts.get("bearerToken", "").strip()
    if bearer and ("username" in texts or "password" in texts):
        raise _wrong(f"{label} holds bearerToken as well as username and password; keep one")
    if "password" in texts and not username:
        raise _wrong(f"{label} holds a password without username; add the key username")
    if any(character in bearer for character in "\r\n\0"):
        raise _wrong(f"{label} holds a bearerToken of several lines; keep the token alone")
    if ("tls.crt" in data) != ("tls.key" in data):
        raise _wrong(f"{label} needs tls.crt and tls.key together")
    authorization = f"Bearer {bearer}" if bearer else ""
    if not bearer and (username or password):
        authorization = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
    return Access(
        authorization=authorization,
        tls=Tls(
            ca=data.get("ca.crt", data.get("caFile", b"")),
            certificate=data.get("tls.crt", b""),
            key=data.get("tls.key", b""),
        ),
    )


def _ssh(place: Address, texts: Mapping[str, str], label: str) -> Access:
    if not label:
        raise _wrong(f"{place} needs spec.secretRef with the keys identity and known_hosts")
    for key in ("identity", "known_hosts"):
        if not texts.get(key, "").strip():
            raise _wrong(f"{label} lacks the key {key}, which ssh needs; `flux create secret git` makes one")
    return Access(
        user=place.user or "git",
        identity=texts["identity"],
        passphrase=texts.get("password", ""),
        known_hosts=texts["known_hosts"],
    )


def _text(key: str, value: bytes, label: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise _wrong(f"{label}: the key {key} is not text") from error


def _wrong(message: str) -> Rejected:
    # A Secret may be corrected without a change of spec, so this is no stall: it is read again at the next attempt.
    return Rejected(message, reason=FAILED)

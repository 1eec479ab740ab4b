"""What opens a repository. Read again at each use, kept nowhere.

Whether a host is trusted is decided by what is here: certificates, and for ssh the known hosts, which are required.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gitopsd.plugin import Context, Tls
from gitopsd.plugin.sources import access
from gitopsd.plugin.sources.access import Given
from gitopsd_plugins.git.address import Address
from gitopsd_plugins.git.repository import Repository


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
    given = await access.given(repository.secret, ctx)
    if place.scheme == "ssh":
        return _ssh(place, given)
    return Access(authorization=access.authorization(given, place.user, place.password), tls=access.tls(given))


def _ssh(place: Address, given: Given) -> Access:
    if not given.label:
        raise access.wrong(f"{place} needs spec.secretRef with the keys identity and known_hosts")
    for key in ("identity", "known_hosts"):
        if not given.text(key).strip():
            raise access.wrong(
                f"{given.label} lacks the key {key}, which ssh needs; `flux create secret git` makes one"
            )
    return Access(
        user=place.user or "git",
        identity=given.text("identity"),
        passphrase=given.text("password"),
        known_hosts=given.text("known_hosts"),
    )

"""What opens a repository. Secrets are read again at each use and kept nowhere; tokens are kept until they end.

Whether a host is trusted is decided by what is here: certificates, and for ssh the known hosts, which are required.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gitopsd.plugin import Context, Digest, Misconfigured, Tls
from gitopsd.plugin.sources import access
from gitopsd.plugin.sources.access import Given
from gitopsd_plugins.git.address import Address
from gitopsd_plugins.git.login import azure, github
from gitopsd_plugins.git.login.tokens import Tokens
from gitopsd_plugins.git.repository import Repository

INVALID_PROVIDER = "InvalidProviderConfiguration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Credentials for one origin. `authorization` is the HTTP header's value; the rest of the text fields is for ssh."""

    authorization: str = field(default="", repr=False)
    tls: Tls = field(default=Tls(), repr=False)
    user: str = "git"
    identity: str = field(default="", repr=False)
    passphrase: str = field(default="", repr=False)
    known_hosts: str = field(default="", repr=False)
    token: Digest | None = None
    """What a token is kept under, where the credentials are one that is kept."""


async def read(repository: Repository, tokens: Tokens, ctx: Context) -> Access:
    """The credentials of a repository. Raises `NotReady` for a missing Secret, `Rejected` for a wrong key."""
    place = repository.address
    if place.local:
        return Access()
    given = await access.given(repository.secret, ctx)
    _check_provider(repository, given)
    if place.scheme == "ssh":
        return _ssh(place, given)
    tls = access.tls(given)
    match repository.provider:
        case "github":
            kept = github.key(given)
            value = await tokens.get(kept, ctx.now(), lambda: github.token(given, ctx))
            return Access(authorization=access.basic(github.USER, value), tls=tls, token=kept)
        case "azure":
            kept = azure.key(ctx)
            value = await tokens.get(kept, ctx.now(), lambda: azure.token(ctx))
            return Access(authorization=f"Bearer {value}", tls=tls, token=kept)
    return Access(authorization=access.authorization(given, place.user, place.password), tls=tls)


def _check_provider(repository: Repository, given: Given) -> None:
    place, provider = repository.address, repository.provider
    if provider != "generic" and place.scheme == "ssh":
        raise Misconfigured(f"spec.provider: {provider} is for https; {place} is not", reason=INVALID_PROVIDER)
    if provider == "github" and not github.holds_app(given):
        where = given.label or "spec.secretRef"
        raise Misconfigured(f"{where}: provider github needs the data of a GitHub App", reason=INVALID_PROVIDER)
    if provider != "github" and github.holds_app(given):
        raise Misconfigured(f"{given.label} is about a GitHub App; set spec.provider: github", reason=INVALID_PROVIDER)


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

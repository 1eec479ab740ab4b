"""What opens a repository. Secrets are read again at each use and kept nowhere; what was lent is kept until it ends.

Whether a host is trusted is decided by what is here: certificates, and for ssh the known hosts, which are required.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gitopsd.plugin import Context, Digest, Misconfigured, digest
from gitopsd.plugin.cloud import aws, sigv4
from gitopsd.plugin.sources import access
from gitopsd.plugin.sources.access import Given
from gitopsd_plugins.git.address import Address
from gitopsd_plugins.git.credentials import Access
from gitopsd_plugins.git.login import azure, codecommit, github
from gitopsd_plugins.git.repository import Repository

INVALID_PROVIDER = "InvalidProviderConfiguration"
HOSTS: Mapping[str, str] = {"aws": codecommit.HOSTS, "azure": azure.HOSTS}
"""Where a cloud's login may go to, as patterns of scheme and host; a group in one is the region."""


async def read(
    repository: Repository, ctx: Context, timeout: float, hosts: Mapping[str, str] = HOSTS
) -> tuple[Access, object]:
    """The credentials of a repository, and what of them was lent and is kept (None for nothing).

    Raises `NotReady` for a missing Secret or account, `Rejected` for a wrong key or what a cloud refuses, `Transient`.
    """
    place = repository.address
    if place.local:
        return Access(), None
    given = await access.given(repository.secret, ctx)
    _check_provider(repository, given)
    if place.scheme == "ssh":
        return _ssh(place, given), None
    tls = access.tls(given)
    match repository.provider:
        case "github":
            token = await github.token(given, ctx, timeout)
            header, who = access.basic(github.USER, token.value), github.key(given)
            return Access(authorization=header, tls=tls, who=who), token
        case "azure":
            _region(repository, hosts)
            token = await azure.token(repository.account, ctx, timeout)
            return Access(authorization=f"Bearer {token.value}", tls=tls, who=_who(repository, ctx)), token
        case "aws":
            region = aws.region_of(_region(repository, hosts), ctx)
            keys = await aws.keys(repository.account, region, ctx, timeout)
            login = codecommit.login(keys, place.url, sigv4.Scope(region=region, service="codecommit", now=ctx.now()))
            ctx.conceal(login[1].encode())
            return Access(authorization=access.basic(*login), tls=tls, who=_who(repository, ctx)), keys
    return Access(authorization=access.authorization(given, place.user, place.password), tls=tls), None


def _who(repository: Repository, ctx: Context) -> Digest:
    """An identity in a cloud: the account's, else this process's own."""
    return digest.of_value([repository.provider, str(repository.account or dict(ctx.platform))])


def _check_provider(repository: Repository, given: Given) -> None:
    place, provider = repository.address, repository.provider
    if provider != "generic" and place.scheme == "ssh":
        raise Misconfigured(f"spec.provider: {provider} is for https; {place} is not", reason=INVALID_PROVIDER)
    if provider == "github" and not github.holds_app(given):
        where = given.label or "spec.secretRef"
        raise Misconfigured(f"{where}: provider github needs the data of a GitHub App", reason=INVALID_PROVIDER)
    if provider != "github" and github.holds_app(given):
        raise Misconfigured(f"{given.label} is about a GitHub App; set spec.provider: github", reason=INVALID_PROVIDER)


def _region(repository: Repository, hosts: Mapping[str, str]) -> str:
    """The region in the host's name, where the provider has such; a cloud's login goes to no other hosts than its own."""
    place = repository.address
    found = re.fullmatch(hosts[repository.provider], f"{place.scheme}://{place.origin}")
    if found is None:
        raise Misconfigured(
            f"{place} is no repository of spec.provider {repository.provider}; correct one of them",
            reason=INVALID_PROVIDER,
        )
    return found[1] if found.lastindex else ""


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

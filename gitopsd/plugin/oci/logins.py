"""Which login opens a repository: one out of a Secret, one that a cloud lends, or what a service account pulls images with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gitopsd.plugin.cloud import Account
from gitopsd.plugin.cloud import account as accounts
from gitopsd.plugin.context import Context
from gitopsd.plugin.http import Tls
from gitopsd.plugin.oci import clouds, credentials
from gitopsd.plugin.oci.clouds import PROVIDERS, Provider
from gitopsd.plugin.oci.credentials import Credential, CredentialError
from gitopsd.plugin.oci.reference import Repository
from gitopsd.plugin.oci.transport import Way
from gitopsd.plugin.sources import access
from gitopsd.plugin.sources.access import Given


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What an object says about its login beside a Secret: `provider` is '' for no cloud, `account` None for this process itself."""

    place: Repository
    provider: str = ""
    account: Account | None = None
    tls: Tls = Tls()  # noqa: RUF009 - a frozen value
    insecure: bool = False


async def way(
    it: Asking, secret: Credential | None, ctx: Context, timeout: float, providers: Mapping[str, Provider] = PROVIDERS
) -> Way:
    """The way to the repository; `secret` is the login of its Secret, which comes first.

    Raises `NotReady` for an account or Secret that is missing, `Misconfigured` for a provider of other registries, `Rejected`
    and `Transient`.
    """
    if secret is None and it.provider:
        lent = await clouds.login(it.provider, it.account, it.place, ctx, timeout, providers)
        return Way(
            credential=lent.credential,
            tls=it.tls,
            insecure=it.insecure,
            login_at="spec.provider",
            refused=lambda: (ctx.kept.forget(lent), ctx.kept.forget(lent.by)),
        )
    if secret is None and it.account:
        secret = await _of_account(it.account, it.place, ctx)
    return Way(credential=secret, tls=it.tls, insecure=it.insecure)


def configured(given: Given, place: Repository, ctx: Context) -> Credential | None:
    """The login for a repository in a Secret's Docker configuration; None where that has none. Raises `Rejected`."""
    return _chosen(_logins(given), place, ctx)


async def _of_account(account: Account, place: Repository, ctx: Context) -> Credential | None:
    """Of several Secrets the entry that fits best."""
    found: dict[str, Credential] = {}
    for data in await accounts.pull_secrets(account, ctx):
        found |= _logins(Given(data=data, label=f"a Secret of {account}"))
    return _chosen(found, place, ctx)


def _logins(given: Given) -> Mapping[str, Credential]:
    for key in credentials.KEYS:
        if key in given.data:
            try:
                return credentials.read(given.data[key], old=key == ".dockercfg")
            except CredentialError as error:
                raise access.wrong(f"{given.label}: the key {key} {error}") from error
    raise access.wrong(
        f"{given.label} lacks the key .dockerconfigjson; `kubectl create secret docker-registry` or "
        "`flux create secret oci` makes one"
    )


def _chosen(logins: Mapping[str, Credential], place: Repository, ctx: Context) -> Credential | None:
    found = credentials.choose(logins, place)
    for secret in (found.password, found.identity, found.bearer) if found else ():
        ctx.conceal(secret.encode())  # the file as a whole is masked already, its parts are not
    return found

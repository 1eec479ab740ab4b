"""What opens a registry: logins, certificates and a proxy, from Secrets. Read again at each use, kept nowhere."""

from __future__ import annotations

from gitopsd.plugin import Context
from gitopsd.plugin.oci import Credential, Way, credentials
from gitopsd.plugin.oci.credentials import CredentialError
from gitopsd.plugin.sources import access
from gitopsd.plugin.sources.access import Given
from gitopsd_plugins.oci.clouds import Clouds
from gitopsd_plugins.oci.repository import OciRepository


async def read(repository: OciRepository, clouds: Clouds, ctx: Context, timeout: float) -> Way:
    """The way to a repository. Raises `NotReady` for a missing Secret, `Rejected` for one that cannot be used."""
    login = await access.given(repository.login, ctx)
    trust = await access.given(repository.trust, ctx, "spec.certSecretRef")
    credential = _credential(login, repository, ctx)
    if credential is None and repository.provider:
        credential = await clouds.login(repository.provider, repository.place, ctx, timeout)
    return Way(credential=credential, tls=access.tls(trust), insecure=repository.insecure)


def _credential(given: Given, repository: OciRepository, ctx: Context) -> Credential | None:
    if not given.label:
        return None
    for key in credentials.KEYS:
        if key in given.data:
            return _chosen(given, key, repository, ctx)
    raise access.wrong(
        f"{given.label} lacks the key .dockerconfigjson; `kubectl create secret docker-registry` or "
        "`flux create secret oci` makes one"
    )


def _chosen(given: Given, key: str, repository: OciRepository, ctx: Context) -> Credential | None:
    try:
        logins = credentials.read(given.data[key], old=key == ".dockercfg")
    except CredentialError as error:
        raise access.wrong(f"{given.label}: the key {key} {error}") from error
    found = credentials.choose(logins, repository.place)
    for secret in (found.password, found.identity, found.bearer) if found else ():
        ctx.conceal(secret.encode())  # the file as a whole is masked already, its parts are not
    return found

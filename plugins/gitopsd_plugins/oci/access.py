"""What opens a registry: logins, certificates and a proxy, from Secrets. Read again at each use, kept nowhere."""

from __future__ import annotations

from collections.abc import Mapping

from gitopsd.plugin import Context
from gitopsd.plugin.oci import Way, logins
from gitopsd.plugin.oci.clouds import Provider
from gitopsd.plugin.oci.logins import Asking
from gitopsd.plugin.sources import access
from gitopsd_plugins.oci.repository import OciRepository


async def read(repository: OciRepository, clouds: Mapping[str, Provider], ctx: Context, timeout: float) -> Way:
    """The way to a repository. Raises `NotReady` for a missing Secret, `Rejected` for one that cannot be used."""
    given = await access.given(repository.login, ctx)
    trust = await access.given(repository.trust, ctx, "spec.certSecretRef")
    asking = Asking(
        place=repository.place,
        provider=repository.provider,
        account=repository.account,
        tls=access.tls(trust),
        insecure=repository.insecure,
    )
    secret = logins.configured(given, repository.place, ctx) if given.label else None
    return await logins.way(asking, secret, ctx, timeout, clouds)

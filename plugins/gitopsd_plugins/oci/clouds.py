"""Logins that a cloud lends the machine that gitopsd runs on, by `spec.provider`: kept until shortly before they end.

Each provider answers for its own registries only, so that no cloud's token goes to another host. The addresses are the clouds'
own, on the machine's link; nothing is asked there unless an object names the provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from gitopsd.plugin import Context, Misconfigured
from gitopsd.plugin.oci import Credential, Repository
from gitopsd_plugins.oci.aws import Aws
from gitopsd_plugins.oci.azure import Azure
from gitopsd_plugins.oci.gcp import Gcp
from gitopsd_plugins.oci.lent import Lent

EARLY = timedelta(minutes=1)


class Provider(Protocol):
    """One cloud."""

    def serves(self, host: str) -> bool:
        """True for a registry of this cloud."""
        ...

    async def login(self, place: Repository, ctx: Context, timeout: float) -> Lent:
        """A login for a registry. Raises `Transient` and `Rejected`."""
        ...


PROVIDERS: Mapping[str, Provider] = {"aws": Aws(), "azure": Azure(), "gcp": Gcp()}


class Clouds:
    """Keeps what was lent, by provider and host."""

    def __init__(self, providers: Mapping[str, Provider] = PROVIDERS) -> None:
        self._providers = providers
        self._lent: dict[tuple[str, str], Lent] = {}

    async def login(self, provider: str, place: Repository, ctx: Context, timeout: float) -> Credential:
        """The login for a registry. Raises `Misconfigured` for a registry of somebody else, `Transient`, `Rejected`."""
        cloud = self._providers[provider]
        if not cloud.serves(place.host):
            raise Misconfigured(
                f"{place.host} is no registry of spec.provider {provider}; correct one of them, or name a login in "
                "spec.secretRef with the provider generic",
                reason="AuthenticationFailed",
            )
        known = self._lent.get((provider, place.host))
        if known is None or known.until - EARLY <= ctx.now():
            known = self._lent[provider, place.host] = await cloud.login(place, ctx, timeout)
            ctx.conceal((known.credential.password or known.credential.identity).encode())
        return known.credential

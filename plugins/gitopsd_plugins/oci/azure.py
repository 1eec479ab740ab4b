"""`provider: azure`: Azure Container Registry, by the machine's managed identity.

The machine gets a token for Azure's management; the registry exchanges it for a refresh token of its own, which its token service
then takes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from gitopsd.plugin import Context
from gitopsd.plugin.oci import Credential, Repository
from gitopsd_plugins.oci import lent
from gitopsd_plugins.oci.lent import Ask, Lent

LIFETIME = timedelta(hours=2)
"""The registries' refresh tokens live for three."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Azure:
    """Asks the instance metadata service, then the registry."""

    metadata: str = "http://169.254.169.254"
    hosts: str = r"[a-zA-Z0-9-]+\.azurecr\.(?:io|cn|us|de)"
    scheme: str = "https"

    def serves(self, host: str) -> bool:
        """True for a registry of Azure's."""
        return re.fullmatch(self.hosts, host) is not None

    async def login(self, place: Repository, ctx: Context, timeout: float) -> Lent:
        """A login for a registry. Raises `Transient` and `Rejected`."""
        query = urlencode({"api-version": "2018-02-01", "resource": _resource(place.host)})
        url = f"{self.metadata}/metadata/identity/oauth2/token?{query}"
        ask = Ask(method="GET", url=url, headers={"Metadata": "true"}, direct=True)
        token = lent.word(await lent.json(ask, ctx, timeout), "access_token", url)
        exchange = f"{self.scheme}://{place.host}/oauth2/exchange"
        form = {"grant_type": "access_token", "service": place.host, "access_token": token}
        found = await lent.json(Ask(method="POST", url=exchange, headers={}, data=form), ctx, timeout)
        refresh = lent.word(found, "refresh_token", exchange)
        return Lent(credential=Credential(identity=refresh), until=ctx.now() + LIFETIME)


def _resource(host: str) -> str:
    """Whom the token is for: the management of the cloud that the registry is in."""
    return {
        "cn": "https://management.chinacloudapi.cn/",
        "us": "https://management.usgovcloudapi.net/",
    }.get(host.rpartition(".")[2], "https://management.azure.com/")

"""Clusters of Azure's AKS: found by their resource id, opened by a token of Entra ID."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gitopsd.plugin import AccountToken, Context, Rejected, yaml
from gitopsd.plugin.cloud import Account, ask, azure
from gitopsd.plugin.cloud.ask import Ask
from gitopsd_plugins.kubernetes.access import place
from gitopsd_plugins.kubernetes.access.place import TIMEOUT, Lent, Place

FORM = "/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.ContainerService/managedClusters/NAME"
_ID = re.compile(
    r"/subscriptions/[0-9a-f-]{1,40}/resourcegroups/[\w.()-]{1,90}"
    r"/providers/microsoft\.containerservice/managedclusters/[a-z0-9][\w-]{0,62}",
    re.IGNORECASE | re.ASCII,
)
_SCOPE = "6dae42f8-4368-4678-94ff-3960e28e3630/.default"
"""The application that all AKS clusters are to Entra ID."""
_API = "https://management.azure.com"
_SOVEREIGN = {
    "login.microsoftonline.us": "https://management.usgovcloudapi.net",
    "login.chinacloudapi.cn": "https://management.chinacloudapi.cn",
    "login.partner.microsoftonline.cn": "https://management.chinacloudapi.cn",
}
"""The resource manager beside another authority."""
_VERSION = "2024-05-01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aks:
    """One cluster by its resource id; '' where only its address is known."""

    account: Account
    id: str
    where: str

    @classmethod
    def of(cls, account: Account, cluster: str, where: str) -> Aks:
        """Raises `Misconfigured`."""
        if cluster and not _ID.fullmatch(cluster):
            raise place.misnamed(where, cluster, FORM)
        return cls(account=account, id=cluster, where=where)

    async def place(self, address: str, ctx: Context) -> Place:
        """Out of the kubeconfigs that the resource manager has for users of the cluster."""
        base = _manager(ctx)
        lent = await azure.token(self.account, f"{base}/.default", ctx, TIMEOUT)
        asked = Ask(
            method="POST",
            url=f"{base}{self.id}/listClusterUserCredential?api-version={_VERSION}",
            headers={"Authorization": f"Bearer {lent.value}"},
            what=f"Azure at {base} for {self.id}",
            remedy="the identity needs the role Azure Kubernetes Service Cluster User",
        )
        with ctx.kept.minded(lent):
            found = await ask.json(asked, ctx, TIMEOUT)
        places = [place.told(server, ca, asked.what) for server, ca in _clusters(found)]
        wanted = [it for it in places if not address or urlsplit(it.address).hostname == urlsplit(address).hostname]
        if not wanted:
            raise Rejected(f"{asked.what} knows no kubeconfig" + (f" whose server is {address}" if places else ""))
        return wanted[0]

    async def token(self, ctx: Context) -> Lent:
        """Of the client that the account is."""
        lent = await azure.token(self.account, _SCOPE, ctx, TIMEOUT)
        return Lent(token=AccountToken(value=lent.value, expires=lent.until), by=lent)


def _manager(ctx: Context) -> str:
    if named := ctx.platform.get("AZURE_RESOURCE_MANAGER_URL", "").rstrip("/"):
        return named
    return _SOVEREIGN.get(urlsplit(ctx.platform.get("AZURE_AUTHORITY_HOST", "")).hostname or "", _API)


def _clusters(found: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Address and CA of each cluster in each kubeconfig; what cannot be read has none."""
    listed = found.get("kubeconfigs")
    for each in listed if isinstance(listed, list) else ():
        try:
            text = base64.b64decode(place.inside(each, "value"), validate=True)
            kubeconfig = yaml.read(text)
        except (TypeError, ValueError, binascii.Error, yaml.YamlError):
            continue
        clusters = place.inside(kubeconfig, "clusters")
        for cluster in clusters if isinstance(clusters, list) else ():
            yield (
                place.inside(cluster, "cluster", "server"),
                place.inside(cluster, "cluster", "certificate-authority-data"),
            )

"""Clusters of Google's GKE: found by their resource name, opened by an access token."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gitopsd.plugin import AccountToken, Context
from gitopsd.plugin.cloud import Account, ask, gcp
from gitopsd.plugin.cloud.ask import Ask
from gitopsd_plugins.kubernetes.access import place
from gitopsd_plugins.kubernetes.access.place import TIMEOUT, Lent, Place

FORM = "projects/PROJECT/locations/LOCATION/clusters/NAME"
_NAME = re.compile(r"projects/[a-z0-9:.-]{1,100}/locations/[a-z0-9-]{1,40}/clusters/[a-z0-9-]{1,63}")
_API = "https://container.googleapis.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gke:
    """One cluster by its resource name; '' where only its address is known."""

    account: Account
    name: str
    where: str

    @classmethod
    def of(cls, account: Account, cluster: str, where: str) -> Gke:
        """Raises `Misconfigured`."""
        if cluster and not _NAME.fullmatch(cluster):
            raise place.misnamed(where, cluster, FORM)
        return cls(account=account, name=cluster, where=where)

    async def place(self, _address: str, ctx: Context) -> Place:
        """Of GKE's API."""
        lent = await gcp.token(self.account, gcp.SCOPES, ctx, TIMEOUT)
        base = (ctx.platform.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER") or _API).rstrip("/")
        asked = Ask(
            url=f"{base}/v1/{self.name}",
            headers={"Authorization": f"Bearer {lent.value}"},
            what=f"GKE at {base} for {self.name}",
            remedy="the identity needs container.clusters.get",
        )
        with ctx.kept.minded(lent):
            found = await ask.json(asked, ctx, TIMEOUT)
        ca = place.inside(found, "masterAuth", "clusterCaCertificate")
        return place.told(found.get("endpoint"), ca, asked.what)

    async def token(self, ctx: Context) -> Lent:
        """The account's own."""
        lent = await gcp.token(self.account, gcp.SCOPES, ctx, TIMEOUT)
        return Lent(token=AccountToken(value=lent.value, expires=lent.until), by=lent)

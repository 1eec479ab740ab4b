"""`provider: gcp`: Artifact Registry and Container Registry, by the machine's service account."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from gitopsd.plugin import Context
from gitopsd.plugin.oci import Credential, Repository
from gitopsd_plugins.oci import lent
from gitopsd_plugins.oci.lent import Ask, Lent


@dataclass(frozen=True, slots=True, kw_only=True)
class Gcp:
    """Asks the metadata server for an access token, which the registries take as a password."""

    metadata: str = "http://metadata.google.internal"
    hosts: str = r"gcr\.io|[a-z0-9-]+\.gcr\.io|[a-z0-9-]+-docker\.pkg\.dev"

    def serves(self, host: str) -> bool:
        """True for a registry of Google's."""
        return re.fullmatch(self.hosts, host) is not None

    async def login(self, place: Repository, ctx: Context, timeout: float) -> Lent:
        """A login for a registry. Raises `Transient` and `Rejected`."""
        url = f"{self.metadata}/computeMetadata/v1/instance/service-accounts/default/token"
        ask = Ask(method="GET", url=url, headers={"Metadata-Flavor": "Google"}, direct=True)
        found = await lent.json(ask, ctx, timeout)
        token, seconds = lent.word(found, "access_token", url), found.get("expires_in")
        lifetime = timedelta(seconds=seconds if isinstance(seconds, int) and 0 < seconds < 1 << 31 else 60)
        return Lent(credential=Credential(username="oauth2accesstoken", password=token), until=ctx.now() + lifetime)

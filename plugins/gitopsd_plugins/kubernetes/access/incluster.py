"""Access from inside a pod: the ServiceAccount's token and CA from their well-known folder, `spec.inCluster: {}`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gitopsd.plugin import Access, Context, Spec, Tls, spec
from gitopsd_plugins.kubernetes.access import kubefile, login
from gitopsd_plugins.kubernetes.access.login import TokenFile


class InClusterSpec(Spec, frozen=True, kw_only=True):
    """The defaults fit every cluster; `server` is for those without cluster DNS."""

    server: str = "https://kubernetes.default.svc"
    path: str = "/var/run/secrets/kubernetes.io/serviceaccount"


class InClusterAccess:
    """Reaches the cluster that gitopsd runs in."""

    name = "inCluster"

    @asynccontextmanager
    async def open(self, cluster: str, spec: Mapping[str, Any], ctx: Context) -> AsyncIterator[Access]:
        """Raises `Misconfigured` outside a pod."""
        yield _access(cluster, spec)


def _access(cluster: str, value: Mapping[str, Any]) -> Access:
    wanted = spec.decode(value, InClusterSpec)
    folder = Path(wanted.path)
    ca = kubefile.read_bytes(folder / "ca.crt", "the ServiceAccount's CA (is this a pod?)")
    token = TokenFile(folder / "token")
    return Access(
        cluster=cluster,
        server=wanted.server,
        tls=Tls(ca=ca),
        headers=login.headers(token.token, None, ()),
        expire=token.expire,
    )

"""Tokens of service accounts, as the cluster issues them: short-lived, and good for the named audiences only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import quote

from gitopsd.plugin import AccountToken, Rejected
from gitopsd_plugins.kubernetes import client as clients
from gitopsd_plugins.kubernetes.client import Client

LIFETIME = 3600
"""Seconds that are asked for; the server may give less."""


async def token(client: Client, namespace: str, account: str, audiences: Sequence[str], now: datetime) -> AccountToken:
    """A new token; when it ends is told by our clock, as the server's may be another. Raises `Rejected` where the account is not there or the own identity may not ask for its token."""
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/serviceaccounts/{quote(account, safe='')}/token"
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": list(audiences), "expirationSeconds": LIFETIME},
    }
    what = f"ServiceAccount/{namespace}/{account}: cluster {client.access.cluster} issued no token for it"
    answer = clients.checked(await client.send("POST", path, body=body), what)
    lifetime = (answer.get("spec") or {}).get("expirationSeconds")
    value = (answer.get("status") or {}).get("token")
    if not value or not isinstance(lifetime, int):
        raise Rejected(f"{what}: the answer holds no token with an end")
    return AccountToken(value=str(value), expires=now + timedelta(seconds=lifetime))

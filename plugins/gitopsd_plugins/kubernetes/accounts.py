"""Tokens of service accounts, as the cluster issues them: short-lived, and good for the named audiences only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

from gitopsd.plugin import AccountToken, Rejected
from gitopsd_plugins.kubernetes import client as clients
from gitopsd_plugins.kubernetes.client import Client

LIFETIME = 3600
"""Seconds that are asked for; the server may give less."""


async def token(client: Client, namespace: str, account: str, audiences: Sequence[str]) -> AccountToken:
    """A new token. Raises `Rejected` where the account is not there or the own identity may not ask for its token."""
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/serviceaccounts/{quote(account, safe='')}/token"
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": list(audiences), "expirationSeconds": LIFETIME},
    }
    what = f"ServiceAccount/{namespace}/{account}: cluster {client.access.cluster} issued no token for it"
    status = clients.checked(await client.send("POST", path, body=body), what).get("status") or {}
    try:
        expires = datetime.fromisoformat(str(status["expirationTimestamp"]).replace("Z", "+00:00"))
        return AccountToken(value=str(status["token"]), expires=expires)
    except (KeyError, ValueError) as error:
        raise Rejected(f"{what}: the answer holds no token with an end") from error

"""The namespace of gitopsd's own records, and the label that tells them from what it applies."""

from __future__ import annotations

from gitopsd.plugin import Actor
from gitopsd_plugins.kubernetes import client as clients
from gitopsd_plugins.kubernetes.client import Client

MANAGED = {"app.kubernetes.io/managed-by": "gitopsd"}


async def create(client: Client, actor: Actor) -> None:
    """Create the actor's namespace; one that is there is left as it is."""
    body = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": actor.namespace, "labels": dict(MANAGED)},
    }
    reply = await client.send("POST", "/api/v1/namespaces", params={"fieldManager": actor.field_manager}, body=body)
    if reply.status != 409:
        clients.checked(reply, f"the namespace {actor.namespace} of gitopsd's own records could not be created")

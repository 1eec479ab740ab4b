"""The Kubernetes sink: connects to a cluster and hands out its `Target`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gitopsd.plugin import Access, Actor, Context
from gitopsd_plugins.kubernetes import client as clients
from gitopsd_plugins.kubernetes.client import Client
from gitopsd_plugins.kubernetes.discovery import Discovery
from gitopsd_plugins.kubernetes.feed import Feed, Namespaces
from gitopsd_plugins.kubernetes.lease import Lease
from gitopsd_plugins.kubernetes.records import Records
from gitopsd_plugins.kubernetes.target import KubernetesTarget
from gitopsd_plugins.kubernetes.write import Writer


class KubernetesSink:
    """Applies manifests to Kubernetes clusters."""

    name = "kubernetes"

    @asynccontextmanager
    async def connect(self, access: Access, actor: Actor, ctx: Context) -> AsyncIterator[KubernetesTarget]:
        """A target; its cluster is known by the uid of the kube-system namespace. Raises `Transient` or `Rejected`."""
        async with Client(access, actor, ctx) as client:
            reply = await client.get("/api/v1/namespaces/kube-system")
            body = clients.checked(
                reply,
                f"cluster {access.cluster}: the namespace kube-system, whose uid identifies the cluster, could not be read; "
                "grant the identity `get` on it",
            )
            discovery = Discovery(client)
            yield KubernetesTarget(
                access=access,
                uid=body["metadata"]["uid"],
                actor=actor,
                client=client,
                discovery=discovery,
                writer=Writer(client, discovery, actor),
                records=Records(client, actor),
                feed=Feed(client=client, discovery=discovery, actor=actor, ctx=ctx, namespaces=Namespaces()),
                leases=Lease(client=client, actor=actor, ctx=ctx),
            )

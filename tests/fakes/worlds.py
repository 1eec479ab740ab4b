"""Worlds for whole-way tests on the sandbox, and on a real control plane under an instance of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
from fakes.control_plane import ControlPlane
from fakes.git_repository import GitRepository
from fakes.real_cluster import RealCluster
from fakes.world import World

from gitopsd_plugins.sandbox.cluster import Settings
from gitopsd_plugins.sandbox.server import serve

SERVERS = ["sandbox", pytest.param("control-plane", marks=pytest.mark.timeout(180))]
LEFT = (
    "/api/v1/namespaces/default/configmaps?fieldSelector=metadata.name!=kube-root-ca.crt",
    "/api/v1/namespaces/default/secrets",
    "/api/v1/namespaces/default/services?fieldSelector=metadata.name!=kubernetes",
    "/apis/apps/v1/namespaces/default/deployments",
    "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
    "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles",
)
"""What a test may leave in the namespace default, which a real control plane has only one of for all tests."""


def of(plane: ControlPlane | None, folder: Path) -> AbstractAsyncContextManager[World]:
    """A world on a real control plane, or on a sandbox of its own."""
    return planned(plane, folder) if plane else sandboxed(folder)


@asynccontextmanager
async def sandboxed(folder: Path) -> AsyncIterator[World]:
    """A repository without commits, an empty sandbox, nothing declared."""
    async with (
        serve(settings=Settings(settling=0.01)) as running,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {running.token}", "User-Agent": "somebody"}) as http,
    ):
        yield World(folder=folder, running=running, http=http, repository=GitRepository(folder / "repo.git"))


@asynccontextmanager
async def planned(plane: ControlPlane, folder: Path) -> AsyncIterator[World]:
    """The same on a real control plane, under an instance of its own."""
    cluster = RealCluster(plane)
    async with cluster.session() as http:
        repository = GitRepository(folder / "repo.git")
        yield (it := World(folder=folder, running=cluster, http=http, repository=repository, instance=uuid4().hex[:8]))
        for collection in LEFT:
            await it.send("DELETE", collection)

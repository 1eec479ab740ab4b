"""The fixtures of a world whose way to the cluster leads through a faulty proxy: the sandbox, and a real control plane."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from fakes import account
from fakes.git_repository import GitRepository
from fakes.proxy import Proxy, proxy
from fakes.real_cluster import RealCluster
from fakes.world import World

from gitopsd_plugins.sandbox.cluster import Settings
from gitopsd_plugins.sandbox.server import Running, serve

APPLIED = ("/api/v1/namespaces/default/configmaps", "/api/v1/namespaces/default/services")
CRONS = "/apis/batch/v1/namespaces/default/cronjobs"


@pytest_asyncio.fixture(params=["sandbox", pytest.param("control-plane", marks=pytest.mark.timeout(180))])
async def running(request: pytest.FixtureRequest) -> AsyncIterator[Running | RealCluster]:
    """One server of each kind."""
    if request.param == "sandbox":
        async with serve(settings=Settings(settling=0.01)) as server:
            yield server
        return
    plane = request.getfixturevalue("control_plane")
    yield RealCluster(plane)


@pytest_asyncio.fixture
async def faulty(running: Running | RealCluster) -> AsyncIterator[Proxy]:
    """In front of it; who asks is who the request says."""
    real = isinstance(running, RealCluster)
    tls = ssl.create_default_context(cafile=str(running.plane.folder / "ca.crt")) if real else None
    async with proxy(running.url, tls) as it:
        yield it


@pytest_asyncio.fixture
async def world(tmp_path: Path, running: Running | RealCluster, faulty: Proxy) -> AsyncIterator[World]:
    """A repository without commits, an empty cluster behind the proxy, nothing declared."""
    repository = GitRepository(tmp_path / "repo.git")
    if isinstance(running, Running):
        headers = {"Authorization": f"Bearer {running.token}", "User-Agent": "somebody"}
        async with aiohttp.ClientSession(headers=headers) as http:
            yield World(folder=tmp_path, running=running, http=http, repository=repository, through=faulty.url)
        return
    async with running.session() as http:
        instance = uuid4().hex[:8]
        it = World(folder=tmp_path, running=running, http=http, repository=repository, instance=instance)
        it.through = faulty.url
        running.token = await account.token(it)
        yield it
        for collection in (*APPLIED, CRONS):
            await it.send("DELETE", f"{collection}?labelSelector=gitopsd.io/instance={instance}")

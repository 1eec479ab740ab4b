"""The fixtures of the whole-way tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from fakes.control_plane import ControlPlane
from fakes.git_repository import GitRepository
from fakes.planes import control_plane as control_plane  # a fixture
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each of these starts worker processes: a second or two, some hundred times."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@asynccontextmanager
async def sandboxed(folder: Path) -> AsyncIterator[World]:
    """A repository without commits, an empty sandbox, nothing declared."""
    async with (
        serve(settings=Settings(settling=0.01)) as running,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {running.token}", "User-Agent": "somebody"}) as http,
    ):
        yield World(folder=folder, running=running, http=http, repository=GitRepository(folder / "repo.git"))


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A world of the test's own on the sandbox."""
    async with sandboxed(tmp_path) as it:
        yield it


@asynccontextmanager
async def planned(plane: ControlPlane, folder: Path) -> AsyncIterator[World]:
    """The same on a real control plane, under an instance of its own."""
    cluster = RealCluster(plane)
    async with cluster.session() as http:
        repository = GitRepository(folder / "repo.git")
        yield (it := World(folder=folder, running=cluster, http=http, repository=repository, instance=uuid4().hex[:8]))
        for collection in LEFT:
            await it.send("DELETE", collection)


def on(request: pytest.FixtureRequest, folder: Path) -> AbstractAsyncContextManager[World]:
    """A world on the server that the fixture's parameter names."""
    if request.param == "sandbox":
        return sandboxed(folder)
    return planned(request.getfixturevalue("control_plane"), folder)


@pytest_asyncio.fixture(params=SERVERS)
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A world of the test's own on the sandbox, and on a real control plane."""
    async with on(request, tmp_path) as it:
        yield it


@pytest_asyncio.fixture(params=SERVERS)
async def remote(request: pytest.FixtureRequest, world: World, tmp_path: Path) -> AsyncIterator[World]:
    """The other cluster, of each kind, where `world` is the one at hand."""
    (tmp_path / "remote").mkdir()
    async with on(request, tmp_path / "remote") as it:
        world.instance = it.instance
        yield it

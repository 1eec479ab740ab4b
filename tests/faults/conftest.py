"""A world whose way to the cluster leads through a faulty proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from fakes.git_repository import GitRepository
from fakes.proxy import Proxy, proxy
from fakes.world import World

from gitopsd_plugins.sandbox.cluster import Settings
from gitopsd_plugins.sandbox.server import Running, serve


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each of these starts worker processes and waits for retries."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest_asyncio.fixture
async def running() -> AsyncIterator[Running]:
    async with serve(settings=Settings(settling=0.01)) as server:
        yield server


@pytest_asyncio.fixture
async def faulty(running: Running) -> AsyncIterator[Proxy]:
    async with proxy(running.url) as it:
        yield it


@pytest_asyncio.fixture
async def world(tmp_path: Path, running: Running, faulty: Proxy) -> AsyncIterator[World]:
    """A repository without commits, an empty sandbox behind the proxy, nothing declared."""
    headers = {"Authorization": f"Bearer {running.token}", "User-Agent": "somebody"}
    async with aiohttp.ClientSession(headers=headers) as http:
        repository = GitRepository(tmp_path / "repo.git")
        yield World(folder=tmp_path, running=running, http=http, repository=repository, through=faulty.url)

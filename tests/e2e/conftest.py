"""The one fixture of the whole-way tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from fakes.git_repository import GitRepository
from fakes.world import World

from gitopsd_plugins.sandbox.cluster import Settings
from gitopsd_plugins.sandbox.server import serve


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each of these starts worker processes: a second or two, some hundred times."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A repository without commits, an empty sandbox, nothing declared."""
    async with (
        serve(settings=Settings(settling=0.01)) as running,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {running.token}", "User-Agent": "somebody"}) as http,
    ):
        yield World(folder=tmp_path, running=running, http=http, repository=GitRepository(tmp_path / "repo.git"))

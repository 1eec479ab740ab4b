"""The modules beside the tests, and a running sandbox with a client of its own."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from gitopsd_plugins.sandbox.cluster import Cluster, Settings
from gitopsd_plugins.sandbox.server import Running, serve

sys.path.insert(0, str(Path(__file__).parent))  # under importmode=importlib tests are no package
import in_process

Json = dict[str, Any]
Send = Callable[..., Any]


@pytest.fixture
def cluster() -> Cluster:
    """A cluster without HTTP and without controllers."""
    return in_process.cluster()


@pytest_asyncio.fixture
async def running() -> AsyncIterator[Running]:
    """A server whose controllers act at once."""
    async with serve(settings=Settings(settling=0)) as started:
        yield started


@pytest_asyncio.fixture
async def session(running: Running) -> AsyncIterator[aiohttp.ClientSession]:
    """The administrator's client of `running`."""
    headers = {"Authorization": f"Bearer {running.token}", "User-Agent": "test/1"}
    async with aiohttp.ClientSession(running.url, headers=headers) as opened:
        yield opened

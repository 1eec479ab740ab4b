"""The modules beside the tests, and a running sandbox with a client of its own."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.fixture import sandbox, sandbox_settings
from gitopsd_plugins.sandbox.server import Running

__all__ = ["sandbox", "sandbox_settings"]

sys.path.insert(0, str(Path(__file__).parent))  # under importmode=importlib tests are no package
import in_process

Json = dict[str, Any]
Send = Callable[..., Any]


@pytest.fixture
def cluster() -> Cluster:
    """A cluster without HTTP and without controllers."""
    return in_process.cluster()


@pytest_asyncio.fixture
async def session(sandbox: Running) -> AsyncIterator[aiohttp.ClientSession]:
    """The administrator's client of the sandbox."""
    async with sandbox.client() as opened:
        yield opened

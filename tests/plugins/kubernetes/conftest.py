"""A context, and a sandbox cluster whose failures a test can ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from fakes import sink_context

from gitopsd.plugin import Access, Context
from gitopsd_plugins.sandbox import server
from gitopsd_plugins.sandbox.cluster import Settings
from gitopsd_plugins.sandbox.server import Running


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    """What the sink uses of a context: HTTP, the time and the log."""
    return sink_context.make(tmp_path)


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[Running]:
    """A sandbox that settles at once."""
    async with server.serve(settings=Settings(settling=0.01)) as running:
        yield running


@pytest.fixture
def access(cluster: Running) -> Access:
    """The administrator's way to it."""

    async def headers() -> dict[str, str]:
        return {"Authorization": f"Bearer {cluster.token}"}

    return Access(cluster="sandbox", server=cluster.url, headers=headers)

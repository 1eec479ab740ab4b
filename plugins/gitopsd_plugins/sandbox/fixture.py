"""The sandbox as pytest fixtures, for gitopsd's own tests and for those of plugin authors. Needs pytest-asyncio.

from gitopsd_plugins.sandbox.fixture import sandbox, sandbox_settings  # in conftest.py

@pytest.mark.asyncio
async def test_it(sandbox):
    async with sandbox.client() as client:
        assert (await client.get("/api/v1/namespaces/default")).status == 200
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gitopsd_plugins.sandbox.cluster import Settings
from gitopsd_plugins.sandbox.server import Running, serve


@pytest.fixture
def sandbox_settings() -> Settings:
    """How the sandbox behaves: controllers act at once. Override it for delays, a short history or a clock."""
    return Settings(settling=0)


@pytest_asyncio.fixture
async def sandbox(sandbox_settings: Settings) -> AsyncIterator[Running]:
    """A fresh cluster that answers on loopback for as long as the test lasts."""
    async with serve(settings=sandbox_settings) as running:
        yield running

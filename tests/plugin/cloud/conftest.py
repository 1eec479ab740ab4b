"""Clouds on loopback, and the home of the accounts."""

from __future__ import annotations

import pytest
import pytest_asyncio
from fakes import clouds


@pytest_asyncio.fixture
async def cloud():
    async with clouds.serving() as running:
        yield running


@pytest.fixture
def home():
    return clouds.Home()

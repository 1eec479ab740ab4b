"""What every test relies on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fakes import clouds
from hypothesis import HealthCheck, settings

# How long an example takes, and how long making one takes, says how busy the machine is.
settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")


def pytest_configure() -> None:
    # looptime asks for the current loop before each synchronous test too, which would make one that nobody closes:
    # once a loop was set on purpose, even to none, asking makes no new one.
    asyncio.set_event_loop(None)


@pytest_asyncio.fixture
async def cloud() -> AsyncIterator[clouds.Cloud]:
    """The services by which all clouds lend identities, on loopback."""
    async with clouds.serving() as running:
        yield running


@pytest.fixture
def home() -> clouds.Home:
    """A cluster with the service accounts that clouds lend identities to."""
    return clouds.Home()
